"""What of a run is done: `run.json`, with which a run that was stopped goes on.

A step of a run is recorded after its files are written, with their SHA-256. When the run goes on, a
step whose files are all there and unchanged is not repeated. Nothing here imports Keras.
"""

import dataclasses
import logging
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kcnn.provenance import sha256, timestamp
from kcnn.run_digests import read_journal, write_digest
from kcnn.run_dir import RunDir, atomic

logger = logging.getLogger("kcnn")


_LATER = ("complete", "replaces", "stop_reason")  # earlier versions had none of them


@dataclass(frozen=True)
class Step:
    """One step of a run that is done.

    Attributes:
        files: SHA-256 of each file that it wrote, by its path in the run's folder.
        facts: What the run needs of it later, as plain JSON.
    """

    files: dict[str, str]
    facts: dict[str, Any]


@dataclass
class Journal:
    """The steps of a run that are done, kept in the run's folder.

    Attributes:
        run_dir: The run's folder.
        begun: When the run began.
        finished: Whether all of it is done, and nothing is left of what it went on from.
        complete: Whether all of it is done but the end: its folder takes its place, and what it
            went on from is removed.
        replaces: Whether it is complete in the place of an earlier run.
        stop_reason: Why the training did not end: "interrupted" or "diverged"; "" if it did.
        deterministic: Whether it computes deterministically.
        steps: What is done, by name, in order.
        earlier: What earlier processes have done and this one has not reached yet.
    """

    run_dir: RunDir
    begun: str = field(default_factory=timestamp)
    finished: bool = False
    deterministic: bool = False
    complete: bool = False
    replaces: bool = False
    stop_reason: str = ""
    steps: dict[str, Step] = field(default_factory=dict)
    earlier: dict[str, Step] = field(default_factory=dict)

    @classmethod
    def read(cls, run_dir: RunDir) -> "Journal | None":
        """Return the journal in a folder, or None where there is none.

        Raises:
            ValueError: The file is no journal.
        """
        values = read_journal(run_dir)
        if values is None:
            return None
        steps = {name: Step(**step) for name, step in values.pop("steps").items()}
        return cls(run_dir, **values, earlier=steps)

    def save(self) -> None:
        """Write the journal, whole or not at all."""
        values = {
            "begun": self.begun,
            "finished": self.finished,
            "deterministic": self.deterministic,
            **{name: getattr(self, name) for name in _LATER},
            "steps": {name: asdict(step) for name, step in self.steps.items()},
        }
        with atomic(self.run_dir.journal) as temporary:
            temporary.write_text(write_digest(values))

    def check_there(self) -> None:
        """Stop where the run's folder was removed or renamed: writing would begin another one.

        Raises:
            RuntimeError: The journal is not there. If the recipe is not either, what the training
                has written since is removed.
        """
        run_dir = self.run_dir
        if run_dir.journal.is_file():
            return
        if not run_dir.recipe.is_file():
            shutil.rmtree(run_dir.best.parent, ignore_errors=True)
            run_dir.history.unlink(missing_ok=True)
            with suppress(OSError):  # it is not there, or something else is in it
                run_dir.path.rmdir()
        raise RuntimeError(
            f"{str(run_dir.journal)!r} has vanished: the folder was removed, renamed or emptied "
            "while the run was writing into it. Put it back, or begin again."
        )

    def record(self, name: str, files: Iterable[Path], **facts: Any) -> None:
        """Note that a step is done, whose files are written."""
        self.check_there()
        folder = self.run_dir.path
        digests = {file.relative_to(folder).as_posix(): sha256(file) for file in files}
        self.steps[name] = Step(digests, facts)
        self.save()

    def facts(self, name: str) -> dict[str, Any] | None:
        """Return the facts of a step that is done, None if it has to be done (again).

        The steps are asked for in their order. After the first one that has to be done, all have
        to, because they begin with what the steps before them made.
        """
        step = self.earlier.get(name)
        if step is None or not self._is_whole(name, step):
            self.earlier.clear()
            return None
        self.steps[name] = self.earlier.pop(name)
        logger.info("%s: done already", name)
        return step.facts

    def _is_whole(self, name: str, step: Step) -> bool:
        for file, digest in step.files.items():
            path = self.run_dir.path / file
            if not path.is_file() or sha256(path) != digest:
                how = "changed" if path.is_file() else "gone"
                logger.warning("%s is %s: %r and what follows are done again", path, how, name)
                return False
        return True

    def note_stop(self, reason: str) -> None:
        """Note why the training did not end."""
        self.stop_reason = reason
        self.check_there()
        self.save()

    def note_complete(self, *, replaces: bool) -> None:
        """Note that only the end is left to do; `replaces` says whether of an earlier run."""
        self.complete, self.replaces = True, replaces
        self.check_there()
        self.save()

    def is_complete(self) -> bool:
        """Return whether only the end is left to do, and all files that stay are unchanged."""
        kept = self.run_dir.best.parent.name
        return self.complete and all(
            self._is_whole(name, dataclasses.replace(step, files=_outside(kept, step.files)))
            for name, step in (self.earlier | self.steps).items()
        )

    def finish(self) -> None:
        """Remove what was kept to go on with the run, and note that all of it is done."""
        self.check_there()
        # First: a kill in between leaves a run that the same command finishes in a moment.
        shutil.rmtree(self.run_dir.best.parent, ignore_errors=True)
        self.steps = self.earlier | self.steps
        run = self.run_dir
        files = (run.recipe, run.labels, run.history, run.report, run.analysis)
        digests = {file.name: sha256(file) for file in files if file.is_file()}
        self.steps["end"] = Step(digests, {})
        self.finished = True
        self.save()


def _outside(folder: str, files: dict[str, str]) -> dict[str, str]:
    return {file: digest for file, digest in files.items() if Path(file).parts[0] != folder}
