"""Where a model lies that somebody names: a file, a run's folder, or what kcnn publishes.

It is light: a wrong name shows before a backend starts.
"""

import logging
import os
from pathlib import Path

from kcnn.errors import unknown
from kcnn.run_dir import RunDir

MANIFEST = "weights.json"
"""The file that describes published weights; see `kcnn.models.published`."""

_PACKAGE = Path(__file__).resolve().parent
PLACES = (_PACKAGE / "_published", _PACKAGE.parent / "saved_models")
"""The folders of what is published: in a wheel inside the package, in a checkout beside it."""

logger = logging.getLogger("kcnn")


def published_names() -> tuple[str, ...]:
    """Return the names under which weights are published here.

    >>> "resnet20" in published_names()
    True
    """
    found = {file.parent.name for place in PLACES for file in place.glob(f"*/{MANIFEST}")}
    return tuple(sorted(found))


def find_published(name: str) -> Path:
    """Return the folder of published weights.

    Raises:
        ValueError: nothing is published under this name.
    """
    if name not in published_names():
        raise unknown("published model", name, published_names())
    return next(place / name for place in PLACES if (place / name / MANIFEST).is_file())


def by_name(path: str | os.PathLike[str]) -> str:
    """Return the name in "saved_models/NAME", by which earlier recipes called published models.

    >>> by_name("saved_models/resnet20"), by_name("runs/mine")
    ('resnet20', 'runs/mine')
    """
    return Path(path).as_posix().removeprefix("saved_models/")


def published_manifest(path: str | os.PathLike[str]) -> Path | None:
    """Return the manifest that a name stands for, or None; "saved_models/NAME" is one too."""
    name = by_name(path)
    if name not in published_names():
        return None
    logger.info("%s: the weights that kcnn publishes", path)
    return find_published(name) / MANIFEST


def trained_in(folder: Path) -> Path | None:
    """Return the trained model in a run's folder, or the manifest of its weights."""
    files = (RunDir(folder).model, folder / MANIFEST)
    return next((file for file in files if file.is_file()), None)


def find_model(path: str | os.PathLike[str]) -> Path:
    """Return the file of a model: the file itself, that of a run's folder, or a published one.

    What lies at the path comes before a published model of the same name. Of an unfinished run it
    is the best model so far.

    Raises:
        ValueError: there is none.

    >>> find_model("resnet20").name
    'weights.json'
    """
    path = Path(path)
    if path.is_dir():
        return trained_in(path) or RunDir(path).find_model()
    if path.is_file():
        return path
    if manifest := published_manifest(path):
        return manifest
    if path.suffix or len(path.parts) > 1:
        raise ValueError(f"There is no file {str(path)!r}.")
    raise unknown("file, run or published model", str(path), published_names())
