"""What a killed training has left under final names: whether it can be read, and is the best."""

import csv
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path

from tests.campaign.killed_training import digest_of


def has_best(folder: Path, bests: list[str]) -> bool:
    """Return whether the file has the best model of all epochs in the history, or of one more.

    The file is written before the history.

    Args:
        folder: the training's.
        bests: the digest of the best model after each epoch, of a training that was not killed.
    """
    rows = 0
    if (folder / "history.csv").is_file():
        with open(folder / "history.csv", newline="") as file:
            rows = len(list(csv.reader(file))) - 1
    try:
        return digest_of(folder / "best.keras") in bests[max(0, rows - 1) : rows + 1]
    except FileNotFoundError:
        return rows == 0
    except (OSError, zipfile.BadZipFile, KeyError):
        return False


def saved(folder: Path) -> Iterable[Path]:
    """Yield the files of a training under their final names."""
    return (file for file in folder.iterdir() if file.name[0] != ".")


def final_name(name: str) -> str:
    """Return the final name of a temporary file: last.state for .last-x3_k2a1b.state."""
    stem, suffix = name.rsplit(".", 1)
    return f"{stem[1:-9]}.{suffix}" if name[0] == "." else name


def is_readable(file: Path) -> bool:
    from kcnn.training import TrainingState

    try:
        if file.suffix == ".state":
            TrainingState.load(file)
        elif file.suffix == ".keras":
            with zipfile.ZipFile(file) as archive:
                return archive.testzip() is None
        elif file.suffix == ".json":
            json.loads(file.read_text())
        else:
            return file.read_text().endswith("\n")
    except (ValueError, OSError, zipfile.BadZipFile):
        return False
    return True
