"""The parent process: it starts the contestants, gives each one its turns, and ends them."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from benchmarks.results import Entry, Fact, Race
from benchmarks.turns import GO, Timing
from kcnn.child_process import same_imports

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Spec:
    """What the parent sends to a child: the loop to run, and its settings.

    Attributes:
        contestant: its name in the results.
        loop: "module:function"; it is called with this object and its `Turns`.
        folder: where `benchmarks.networks` wrote images and networks.
        needs: a package; without it the contestant is left out.
        model: the name of the network, if the loop trains one.
        batch: the batch size.
        precision: "float32" or "bfloat16".
        threads: how many cores it may use; 0 for all.
        seed: of weights and random numbers.
        options: settings of this loop alone.
    """

    contestant: str
    loop: str
    folder: str
    needs: str = "kcnn"
    model: str = ""
    batch: int = 0
    precision: str = "float32"
    threads: int = 0
    seed: int = 0
    options: dict[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """How a race is run.

    Attributes:
        rounds: turns of each contestant.
        timing: how long a contestant runs.
        patience: seconds to wait for an answer before a contestant counts as failed.
    """

    rounds: int = 3
    timing: Timing = field(default_factory=Timing)
    patience: float = 600.0


class Child:
    """The process of one contestant; `end` must be called.

    Attributes:
        spec: what was sent to it.
        error: why it failed; None as long as it has not.
        facts: what it reported about itself.
    """

    def __init__(self, spec: Spec, rules: Rules, errors: Path) -> None:
        self.spec = spec
        self.error: str | None = None
        self.facts: dict[str, Fact] = {}
        self._errors, self._patience = errors, rules.patience
        self._reports: queue.Queue[str] = queue.Queue()
        job = json.dumps({"spec": asdict(spec), "timing": asdict(rules.timing)})
        with open(errors, "wb") as stream:
            # The child stays in the parent's process group, so that Ctrl-C ends both.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.child", job],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                env=environment(),
            )
        self._commands, self._output = _pipes(self._process)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def wait_for(self, event: str) -> dict | None:
        """Return the child's report of an event, or None if the child failed before it."""
        while self.error is None:
            try:
                line = self._reports.get(timeout=self._patience)
            except queue.Empty:
                self.end()
                self.error = f"no answer within {self._patience:g} s"
                return None
            if not line:
                self.error = self._reason()
                return None
            report = json.loads(line)
            if report["event"] == event:
                return report
        return None

    def turn(self) -> dict | None:
        """Let the child run for one turn and return its report, or None if it failed."""
        if self.error is None:
            with suppress(OSError):  # the child has died: `wait_for` finds that out
                self._commands.write(f"{GO}\n")
                self._commands.flush()
        return self.wait_for("turn")

    def end(self) -> None:
        """End the process."""
        self._process.kill()  # it has reported everything by now
        self._process.wait()
        self._listener.join()
        self._output.close()
        with suppress(OSError):  # closing flushes what the child no longer reads
            self._commands.close()

    def _listen(self) -> None:
        for line in self._output:
            self._reports.put(line)
        self._reports.put("")

    def _reason(self) -> str:
        status = self._process.wait()
        lines = self._errors.read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines and status > 0 else f"died with status {status}"


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    """Return the standard input and output of a process that was started with pipes."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("The process was started without pipes.")
    return process.stdin, process.stdout


def environment() -> dict[str, str]:
    """Return an environment in which a child finds the same modules and prints no warnings."""
    folders = [str(ROOT), same_imports()["PYTHONPATH"]]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    return os.environ | quiet | {"PYTHONPATH": os.pathsep.join(folders)}


def run(
    specs: Sequence[Spec], rules: Rules, *, unit: str, facts: Mapping[str, Fact] | None = None
) -> Race:
    """Let contestants take turns, A B C A B C ..., so that a quiet moment favors none of them.

    A contestant that fails gets an error in its entry; the others go on.
    """
    left_out = {
        spec.contestant: f"{spec.needs} is not installed" for spec in specs if not installed(spec)
    }
    racing = [spec for spec in specs if spec.contestant not in left_out]
    values: dict[int, list[float]] = {index: [] for index in range(len(racing))}
    children: list[Child] = []
    with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
        try:
            for index, spec in enumerate(racing):
                children.append(Child(spec, rules, Path(folder) / f"{index}.txt"))
            for child in children:
                if ready := child.wait_for("ready"):
                    child.facts |= ready["facts"]
            for _ in range(rules.rounds):
                for index, child in enumerate(children):
                    if report := child.turn():
                        values[index].append(report["units"] / report["seconds"])
                        child.facts["peak_bytes"] = report["peak_bytes"]
        finally:
            for child in children:
                child.end()
    entries = tuple(
        Entry(child.spec.contestant, tuple(each), child.spec.precision, child.facts, child.error)
        for child, each in zip(children, values.values(), strict=True)
    )
    return Race(unit, entries, dict(facts or {}), left_out)


def installed(spec: Spec) -> bool:
    """Return whether the package that a contestant needs is installed."""
    return find_spec(spec.needs) is not None
