"""The folder of a run: how its files are named and how they are written."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kcnn.errors import naming
from kcnn.saved_model import check_no_saved_model

# What a run itself may write. Each stage says which files it writes.
_OWN = (
    "recipe.json",  # first: without it no run goes on
    "run.json",
    "report.json",
    "history.csv",
    "labels.txt",
    "model.keras",
    "model_control.keras",
    "curves.png",
    "confusion.png",
    "analysis.json",
    "robustness.json",
    "reliability.png",
    "mistakes.png",
    "disagreements.png",
    "report.html",
)


@dataclass(frozen=True)
class RunDir:
    """The folder of one run and the names of the files in it.

    >>> RunDir(Path("saved_models/resnet20")).report.name
    'report.json'
    """

    path: Path

    @classmethod
    def of(cls, file: Path) -> "RunDir":
        """Return the folder of the run that a model file lies in, or would lie in."""
        folder = file.parent
        return cls(folder.parent if folder.name == cls(folder).best.parent.name else folder)

    def check_free(self, *, overwrite: bool) -> None:
        """Refuse a folder with files in it, unless they are a run that may be overwritten.

        Raises:
            ValueError: The folder holds a run and `overwrite` is False, or it holds other files,
                or it is a file itself.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{str(self.path)!r} is a file; a run needs a folder.")
        if not self.path.is_dir() or all(file.name[0] == "." for file in self.path.iterdir()):
            return  # hidden files are the lock, and what a killed write left
        if not (self.recipe.is_file() or self.journal.is_file()):
            raise ValueError(
                f"{str(self.path)!r} holds files that are no run: name another folder."
            )
        if not overwrite and not (self.journal.is_file() or self.report.is_file()):
            raise ValueError(
                f"{str(self.path)!r} holds a run already, which cannot go on because its "
                f"{self.journal.name} is gone: copy the models that you need, and pass --overwrite "
                "(overwrite=True in Python), or name another folder."
            )
        if not overwrite:
            raise ValueError(
                f"{str(self.path)!r} holds a run already: pass --overwrite (overwrite=True in "
                "Python), or name another folder."
            )

    def start(self, stage_files: Iterable[str] = ()) -> None:
        """Make the folder, and remove the files of an earlier run from it, but not the journal.

        Args:
            stage_files: Patterns of the names of the files that stages wrote.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        for file in self.files(stage_files):
            if file != self.journal:
                file.unlink()
        for folder in ("checkpoints", "tensorboard"):
            shutil.rmtree(self.path / folder, ignore_errors=True)

    def remove_leftovers(self) -> None:
        """Remove the temporary files of writes that were killed."""
        remove_leftovers(self.path)
        remove_leftovers(self.best.parent)

    def files(self, stage_files: Iterable[str] = ()) -> list[Path]:
        """Return the run's files that exist, and none of the user's own beside them.

        Args:
            stage_files: Patterns of the names of the files that stages wrote.
        """
        found = (
            file for pattern in (*_OWN, *stage_files) for file in sorted(self.path.glob(pattern))
        )
        return list(dict.fromkeys(found))

    @property
    def recipe(self) -> Path:
        """The recipe that was run."""
        return self.path / "recipe.json"

    @property
    def journal(self) -> Path:
        """What of the run is done; see `kcnn.pipeline.journal`."""
        return self.path / "run.json"

    @property
    def state(self) -> Path:
        """The folder with the state of an unfinished training."""
        return self.path / "checkpoints" / "state"

    @property
    def best(self) -> Path:
        """The best model of an unfinished training."""
        return self.path / "checkpoints" / "best.keras"

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.path / "model.keras"

    @property
    def control(self) -> Path:
        """The same model, trained without its teacher."""
        return self.path / "model_control.keras"

    def find_model(self) -> Path:
        """Return the trained model; of an unfinished training the best one so far.

        Raises:
            ValueError: there is none yet.
        """
        for file in (self.model, self.best):
            if file.is_file():
                return file
        check_no_saved_model(self.path)
        unfinished = ": the run is unfinished, and has no model yet" * self.journal.is_file()
        raise ValueError(f"There is no file {str(self.model)!r}{unfinished}.")

    def variant(self, suffix: str) -> Path:
        """A variant of the model that a stage made; `suffix` is its name, such as "slim"."""
        return self.path / f"model_{suffix}.keras"

    @property
    def labels(self) -> Path:
        """The class names, one per line."""
        return self.path / "labels.txt"

    def class_names(self) -> tuple[str, ...]:
        """Return the class names in `labels`, none where there is no such file.

        Raises:
            ValueError: the file is no text.
        """
        if not self.labels.is_file():
            return ()
        with naming(self.labels):
            return tuple(self.labels.read_text(encoding="utf-8-sig").splitlines())

    @property
    def report(self) -> Path:
        """The receipts of all variants."""
        return self.path / "report.json"

    @property
    def history(self) -> Path:
        """Loss, accuracy and learning rate of every epoch, as Keras's CSVLogger writes them."""
        return self.path / "history.csv"

    @property
    def analysis(self) -> Path:
        """The mistakes of the variants."""
        return self.path / "analysis.json"

    @property
    def page(self) -> Path:
        """The page that shows all of this in a browser."""
        return self.path / "report.html"

    def picture(self, name: str) -> Path:
        """A picture of the run.

        There are curves, confusion, grad_cam, reliability, mistakes, disagreements and heatmaps.
        """
        return self.path / f"{name}.png"


@contextmanager
def atomic(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path that becomes `path` only if the block succeeds.

    The temporary file lies in the same folder and has the same suffix, for writers that look at
    the suffix (Keras, matplotlib). It is flushed to the disk before it is renamed. On any failure
    it is removed, and an older file at `path` stays as it was.

    >>> target = Path(tempfile.mkdtemp()) / "labels.txt"
    >>> with atomic(target) as temporary:
    ...     _ = temporary.write_text("cat")
    >>> target.read_text()
    'cat'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(suffix=path.suffix, prefix=f".{path.stem}-", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except OSError as error:
        if error.errno is not None and error.filename is None:  # as where the disk is full
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed writes of `atomic` left in a folder.

    Call it only where no other process writes into the folder.
    """
    for file in folder.glob(".*-????????.*"):  # as `tempfile` names them
        file.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Flush the names in a folder, so that a rename outlives a loss of power."""
    if hasattr(os, "O_DIRECTORY"):  # Windows cannot open a folder
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
