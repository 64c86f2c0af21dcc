"""The parent: it starts contestants, gives them turns one after the other, and ends them."""

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

from benchmarks.results import Entry, Fact, Race
from benchmarks.turns import GO, Timing

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Spec:
    """What a child is told: which loop to run, and on what.

    Attributes:
        contestant: its name in the results.
        loop: "module:function", called with this and its `Turns`.
        folder: where `benchmarks.networks` wrote images and networks.
        needs: a package without which it is left out.
        precision: "float32" or "bfloat16".
        threads: how many cores it may use; 0 for all.
        options: what else the loop wants to know.
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
        patience: seconds after which a contestant that has not answered is given up.
    """

    rounds: int = 3
    timing: Timing = field(default_factory=Timing)
    patience: float = 600.0


class Child:
    """A contestant's process, which never outlives the `with` block of its race."""

    def __init__(self, spec: Spec, rules: Rules, errors: Path) -> None:
        self.spec, self.error = spec, None
        self.facts: dict[str, Fact] = {}
        self._errors, self._patience = errors, rules.patience
        self._reports: queue.Queue[str] = queue.Queue()
        job = json.dumps({"spec": asdict(spec), "timing": asdict(rules.timing)})
        with open(errors, "wb") as stream:
            # In the parent's process group, so that Ctrl-C ends all of them.
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.child", job],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                env=environment(),
            )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def wait_for(self, event: str) -> dict | None:
        """Return the child's report of an event, or None if it failed before."""
        while self.error is None:
            try:
                line = self._reports.get(timeout=self._patience)
            except queue.Empty:
                self.end()
                self.error = f"gave no sign for {self._patience:g} s"
                return None
            if not line:
                self.error = self._reason()
                return None
            report = json.loads(line)
            if report["event"] == event:
                return report
        return None

    def turn(self) -> dict | None:
        """Let it run for one turn and return its report, or None if it failed."""
        if self.error is None:
            with suppress(OSError):  # it is dead, which is what waiting for it will tell
                self.process.stdin.write(f"{GO}\n")
                self.process.stdin.flush()
        return self.wait_for("turn")

    def end(self) -> None:
        """End the process."""
        self.process.kill()  # whatever was worth knowing has been reported by now
        self.process.wait()
        self._listener.join()
        self.process.stdout.close()
        with suppress(OSError):  # what it no longer reads
            self.process.stdin.close()

    def _listen(self) -> None:
        for line in self.process.stdout:
            self._reports.put(line)
        self._reports.put("")

    def _reason(self) -> str:
        status = self.process.wait()
        lines = self._errors.read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines and status > 0 else f"died with status {status}"


def environment() -> dict[str, str]:
    """Return the environment in which a child finds what this process finds, and is quiet."""
    folders = [str(ROOT), *(folder or os.getcwd() for folder in sys.path)]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    return os.environ | quiet | {"PYTHONPATH": os.pathsep.join(folders)}


def run(
    specs: Sequence[Spec], rules: Rules, *, unit: str, facts: Mapping[str, Fact] | None = None
) -> Race:
    """Let contestants take turns, A B C A B C ..., so that none of them has the quiet moment.

    Whoever fails is reported as such; the others go on.
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
    """Tell whether the package that a contestant needs is there."""
    return find_spec(spec.needs) is not None
