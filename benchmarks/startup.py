"""How long a user waits at the start: for imports, for help and for the first training step."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.race import Child, Rules, Spec, environment, installed
from benchmarks.results import Entry, Race

COMMANDS = {
    "python, nothing else": "pass",
    "import kcnn": "import kcnn",
    "kcnn --help": "from kcnn.cli import main; main(['--help'])",
    "import keras": "import keras",
}


def commands(rules: Rules) -> Race:
    """Time each of `COMMANDS` once in each round, in a fresh process, from start to end."""
    rows = [(name, "", partial(_command, code, rules)) for name, code in COMMANDS.items()]
    return _rounds(rows, rules)


def first_step(specs: Sequence[Spec], rules: Rules) -> Race:
    """Time each contestant once in each round, from its start to the end of its first step.

    That covers imports, reading the images, building and tracing the network, and the step.
    """
    left_out = {
        spec.contestant: f"{spec.needs} is not installed" for spec in specs if not installed(spec)
    }
    racing = [spec for spec in specs if spec.contestant not in left_out]
    rows = [(spec.contestant, spec.precision, partial(_step, spec, rules)) for spec in racing]
    race = _rounds(rows, rules)
    return Race(race.unit, race.entries, race.facts, left_out)


def _rounds(rows: list[tuple[str, str, Callable[[], float]]], rules: Rules) -> Race:
    taken: list[list[float]] = [[] for _ in rows]
    errors: list[str | None] = [None for _ in rows]
    for _ in range(rules.rounds):
        for index, (_, _, measure) in enumerate(rows):
            if errors[index] is None:
                try:
                    taken[index].append(measure())
                except RuntimeError as error:
                    errors[index] = str(error)
    entries = (
        Entry(name, tuple(values), precision, error=error)
        for (name, precision, _), values, error in zip(rows, taken, errors, strict=True)
    )
    return Race("s", tuple(entries))


def _command(code: str, rules: Rules) -> float:
    started = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=rules.patience,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"took longer than {rules.patience:g} s") from None
    seconds = time.perf_counter() - started
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise RuntimeError(lines[-1][:300])
    return seconds


def _step(spec: Spec, rules: Rules) -> float:
    with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
        started = time.perf_counter()
        child = Child(spec, rules, Path(folder) / "errors.txt")
        try:
            seen = child.wait_for("first step")
            seconds = time.perf_counter() - started
        finally:
            child.end()
    if seen is None:
        raise RuntimeError(child.error)
    return seconds
