"""The classes of any number of photographs, read and classified a few at a time."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kcnn.data.folder_layout import image_files, name_left_out
from kcnn.prediction.classes import names_of, open_classifier
from kcnn.prediction.photographs import photograph_shape, read_photographs

if TYPE_CHECKING:
    import keras

    from kcnn.litert import TFLiteClassifier

_AT_ONCE, _READERS = 64, 2


@dataclass(frozen=True, eq=False)
class FilePrediction:
    """What a model predicts for one file.

    Attributes:
        path: The file.
        class_names: The name of each class.
        probabilities: float32 [classes], 0 to 1; None for a file that cannot be read.
        problem: Why it cannot be read, in one line; "" for an image.
    """

    path: str
    class_names: tuple[str, ...]
    probabilities: np.ndarray | None
    problem: str = ""

    @property
    def class_name(self) -> str:
        """The most likely class; "" for a file that cannot be read."""
        if self.probabilities is None:
            return ""
        return self.class_names[int(self.probabilities.argmax())]

    @property
    def probability(self) -> float | None:
        """That of the most likely class, 0 to 1; None for a file that cannot be read."""
        return None if self.probabilities is None else float(self.probabilities.max())


def predict_files(
    model: "keras.Model | TFLiteClassifier | str | os.PathLike",
    paths: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    class_names: Sequence[str] | None = None,
) -> Iterator[FilePrediction]:
    """Yield what a model predicts for each image file, also for a hundred thousand of them.

    A few files are in memory at a time. One that cannot be read does not stop the others. Each
    photograph is prepared as `kcnn.predict` does it.

    Args:
        model: As in `kcnn.predict`.
        paths: Image files and folders of them; those in folders inside them are found too.
        class_names: As in `kcnn.predict`.

    Raises:
        ValueError: There is no such model, file or folder, a folder holds no image, or the number
            of names is not that of the classes.

    >>> import keras, tempfile
    >>> from PIL import Image
    >>> folder = tempfile.mkdtemp()
    >>> Image.new("RGB", (40, 30)).save(folder + "/black.png")
    >>> layers = [keras.layers.Flatten(), keras.layers.Dense(2, kernel_initializer="zeros")]
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    >>> [each.class_name for each in predict_files(model, folder, class_names=["cat", "dog"])]
    ['cat']
    """
    files = find_files([paths] if isinstance(paths, str | os.PathLike) else paths)
    classifier = open_classifier(model)
    shape = photograph_shape(classifier.image_shape, classifier.name)
    remaining, names = iter(files), None
    with ThreadPoolExecutor(_READERS) as readers:
        while chunk := list(islice(remaining, _AT_ONCE)):
            found = list(readers.map(lambda path: _read(path, shape), chunk))
            pixels = [each for each in found if isinstance(each, np.ndarray)]
            answers = classifier.probabilities(np.stack(pixels)) if pixels else np.empty((0, 0))
            if names is None and pixels:
                names = names_of(class_names, classifier.class_names, answers.shape[1])
            yield from _predictions(chunk, found, iter(answers), names or ())


def find_files(paths: Iterable[str | os.PathLike]) -> list[str]:
    """Return image files: those that are named, and those in folders, sorted by name.

    Raises:
        ValueError: There is no such file or folder, or a folder holds no image.
    """
    files: dict[str, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            found, left_out = image_files(path)
            name_left_out(left_out, path)
            if not found:
                raise ValueError(f"The folder {str(path)!r} holds no image.")
            files |= dict.fromkeys(found)
        elif path.exists():
            files[str(path)] = None
        else:
            raise ValueError(f"There is no file or folder {str(path)!r}.")
    return list(files)


def _read(path: str, shape: tuple[int, int, int]) -> np.ndarray | str:
    """Return the pixels of a file as the model takes them, or why there are none."""
    try:
        return read_photographs([path], shape)[0]
    except ValueError as error:
        return str(error)


def _predictions(
    files: Sequence[str],
    found: Sequence[np.ndarray | str],
    answers: Iterator[np.ndarray],
    names: tuple[str, ...],
) -> Iterator[FilePrediction]:
    for path, each in zip(files, found, strict=True):
        if isinstance(each, str):
            yield FilePrediction(path, names, None, each)
        else:
            yield FilePrediction(path, names, next(answers))
