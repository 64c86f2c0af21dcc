"""A source of a user's own arrays in RAM."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from kcnn.data.checks import check_labels, number_classes
from kcnn.data.labelled import LabelledImages
from kcnn.data.opened import Opened
from kcnn.data.own_batches import class_numbers
from kcnn.errors import listed


@dataclass(frozen=True, eq=False)
class InMemory:
    """Arrays as a source for `kcnn.data.load` and `load_arrays`.

    Attributes:
        opened: The images and labels.
        mirror: Whether a mirror image still belongs to its class.
        pixels: Whether the numbers are raw pixels of images.
    """

    opened: Opened
    mirror: bool = True
    pixels: bool = True

    def open(self, data_dir: str | os.PathLike | None = None) -> Opened:
        """Return the images and labels; `data_dir` is ignored."""
        return self.opened

    @classmethod
    def of(  # noqa: PLR0913 - the arguments of `kcnn.data.from_arrays`
        cls,
        train: tuple[Any, Any],
        validation: tuple[Any, Any] | None = None,
        test: tuple[Any, Any] | None = None,
        class_names: Sequence[str] | None = None,
        *,
        mirror: bool = True,
        pixels: bool = True,
        groups: Any = None,
    ) -> Self:
        """Check arrays, and hold them.

        Args:
            train: Images and labels, as `kcnn.data.from_arrays` takes them.
            validation: The same for validation; None to cut them from `train`.
            test: The same for tests; None to cut them from `train`.
            class_names: One name a class; None for the names in the labels, or the numbers.
            mirror: Whether a mirror image still belongs to its class.
            pixels: Whether the numbers are raw pixels of images; if not, any numbers.
            groups: The group of each image in `train`, [N]; None if each is on its own.

        Raises:
            ValueError: If images are not raw pixels, or labels not those of images and classes.
        """
        given = {"train": train, "validation": validation, "test": test}
        pairs = {name: _pair(name, pair) for name, pair in given.items() if pair is not None}
        read = _pixels if pixels else _values
        images = {name: read(name, _array(name, pair[0])) for name, pair in pairs.items()}
        shapes = {name: each.shape[1:] for name, each in images.items()}
        if len(set(shapes.values())) > 1:
            raise ValueError(f"Images of all parts must have one shape. Received: {shapes}.")
        labels, named = _numbers({name: _labels(name, pair[1]) for name, pair in pairs.items()})
        names = tuple(map(str, class_names)) if class_names is not None else named
        parts = {
            name: _part(name, images[name], labels[name], len(names) if names else None)
            for name in pairs
        }
        names = names or number_classes({name: part.labels for name, part in parts.items()})
        numbers = None
        if groups is not None:
            if validation is not None and test is not None:
                raise ValueError(
                    "groups keep images together when test or validation images are split off, and "
                    "both are given: leave groups out."
                )
            numbers = _group_numbers(groups, len(parts["train"]))
        opened = Opened(parts["train"], parts.get("test"), names, parts.get("validation"), numbers)
        return cls(opened, mirror, pixels)


def _pair(name: str, given: Any) -> tuple[Any, Any]:
    if not isinstance(given, tuple | list) or len(given) != 2:
        count = f"{len(given)} parts" if isinstance(given, tuple | list) else type(given).__name__
        raise ValueError(f"{name} must be a pair (images, labels). Received: {count}.")
    return given[0], given[1]


def _array(name: str, images: Any) -> np.ndarray:
    try:
        return np.asarray(images)
    except ValueError as error:  # NumPy's text says nothing of images
        shapes = list(dict.fromkeys(np.shape(each) for each in images))
        raise ValueError(
            f"The {name} images must have one shape. Received: {listed(map(str, shapes))}."
        ) from error


def _labels(name: str, labels: Any) -> np.ndarray:
    """Return labels as an array; missing ones are refused, which would become a class."""
    labels = np.asarray(labels)
    if labels.dtype != object:
        return labels
    _check_present(f"{name} labels", labels)
    numbers = all(isinstance(each, int | float | np.number) for each in labels.ravel().tolist())
    return np.array(labels.tolist()) if numbers else labels


def _check_present(name: str, values: np.ndarray) -> None:
    for place, each in enumerate(values.ravel().tolist()):
        if each is None or each != each:
            raise ValueError(f"{name}[{place}] is missing. Received: {each}.")


def _pixels(name: str, images: np.ndarray) -> np.ndarray:
    """Return images as uint8 [N, H, W, C]; nothing is cast that would change."""
    images = images[..., None] if images.ndim == 3 else images
    if images.ndim != 4 or not images.size:
        raise ValueError(
            f"The {name} images must be an array [N, H, W, C]; series and voxels need "
            f"pixels=False. Received: shape {images.shape}."
        )
    if images.shape[1] in (1, 3) and images.shape[3] not in (1, 3):
        raise ValueError(
            f"The {name} images must have their channels last, [N, H, W, C]: pass "
            f"images.transpose(0, 2, 3, 1). Received: shape {images.shape}."
        )
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind not in "iuf":
        raise ValueError(
            f"The {name} images must be numbers, whole ones of 0 to 255. Received: {images.dtype}."
        )
    low, high = images.min(), images.max()
    whole = images.dtype.kind in "iu" or (images % 1 == 0).all()
    if not whole or not (0 <= low and high <= 255) or (images.dtype.kind == "f" and high <= 1):
        raise ValueError(
            f"The {name} images must be raw pixels, whole numbers of 0 to 255, which networks of "
            "kcnn scale themselves; other numbers need pixels=False. "
            f"Received: {images.dtype} of {low:g} to {high:g}."
        )
    return images.astype(np.uint8)


def _values(name: str, values: np.ndarray) -> np.ndarray:
    """Return numbers that are no pixels as float32 [N, ..., channels]."""
    if values.dtype.kind not in "uif" or values.ndim < 3 or not values.size:
        raise ValueError(
            f"The {name} data must be numbers: series [N, steps, channels], images [N, H, W, C] or "
            "voxels [N, depth, height, width, channels], with a channel axis of 1 if there is but "
            f"one channel. Received: {values.dtype} of shape {values.shape}."
        )
    values = values.astype(np.float32)
    if not np.isfinite(values).all():
        place = tuple(map(int, np.argwhere(~np.isfinite(values))[0]))
        raise ValueError(
            f"The {name} data must be finite numbers. Received: {values[place]} at {place}."
        )
    return values


def _group_numbers(groups: Any, count: int) -> np.ndarray:
    groups = np.asarray(groups)
    if groups.shape != (count,):
        raise ValueError(
            f"groups must have one entry for each of {count} images. "
            f"Received: shape {groups.shape}."
        )
    _check_present("groups", groups)
    return np.unique(groups.astype(str), return_inverse=True)[1]


def _numbers(
    labels: dict[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Return class numbers or what is to be checked as such, and the names that labels were."""
    labels = {
        name: each[:, 0] if each.ndim == 2 and each.shape[1] == 1 else each
        for name, each in labels.items()
    }
    if all(each.dtype.kind in "UO" for each in labels.values()):
        texts = {name: each.astype(str) for name, each in labels.items()}
        names = np.unique(texts["train"])
        for name, each in texts.items():
            if len(strange := np.setdiff1d(each, names)):
                raise ValueError(
                    f"The {name} labels have a class that no training image has: {strange[0]!r}."
                )
        numbers = {name: np.searchsorted(names, each) for name, each in texts.items()}
        return numbers, tuple(map(str, names))
    names = ()
    widths = {each.shape[1] for each in labels.values() if each.ndim == 2}
    labels = {name: class_numbers(each) for name, each in labels.items()}
    if widths:
        names = tuple(map(str, range(max(widths))))
    return labels, names


def _part(
    name: str, images: np.ndarray, labels: np.ndarray, num_classes: int | None
) -> LabelledImages:
    numbers = check_labels(f"{name} labels", labels, len(images), num_classes)
    return LabelledImages(images, numbers, tuple(f"image {at}" for at in range(len(images))))
