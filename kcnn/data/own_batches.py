"""Batches of images and labels of a user's own, whatever library makes them, as NumPy arrays."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

TAKEN = (
    "a tf.data.Dataset of (images, labels), batched or not, a Keras PyDataset, a PyTorch "
    "DataLoader, or a pair of arrays (images, labels)"
)
"""What is taken as batches, for messages."""

_AT_ONCE = 128


class Batch(NamedTuple):
    """Images and what belongs to each of them.

    Attributes:
        images: [B, H, W, C]; series and voxels have fewer or more sizes.
        labels: Class numbers [B], or one share for each class [B, classes].
        weights: Of the images in the loss, [B]; None if all count alike.
    """

    images: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None = None


def read_batches(source: Any) -> Iterator[Batch]:
    """Yield the batches of one pass over the user's own images and labels.

    Images of PyTorch, [B, C, H, W], become [B, H, W, C]. Labels [B, 1] become [B].

    Args:
        source: As `TAKEN` says.

    Raises:
        ValueError: If it is something else, or gives something else.

    >>> images, labels = np.zeros((3, 8, 8, 3), np.uint8), np.array([[0], [1], [1]])
    >>> [batch.labels.tolist() for batch in read_batches((images, labels))]
    [[0, 1, 1]]
    """
    for element in _elements(source):
        yield _batch(element, source)


def in_batches(dataset: Any) -> Any:
    """Return a `tf.data.Dataset` of batches: itself, or of single images batched.

    What has no `element_spec`, as the batches of `JaxData`, is returned as it is.
    """
    spec = getattr(dataset, "element_spec", None)
    shapes: list[Any] = (
        [getattr(each, "shape", None) for each in spec] if isinstance(spec, tuple) else []
    )
    if len(shapes) < 2 or any(shape is None or shape.rank is None for shape in shapes):
        return dataset
    images, labels = shapes[:2]
    # Of an image and its one-hot label, the first sizes are known and seldom equal.
    single = labels.rank == 0 or (
        labels.rank == 1
        and images.rank == 3
        and None not in (images[0], labels[0])
        and images[0] != labels[0]
    )
    return dataset.batch(_AT_ONCE) if single else dataset


def class_numbers(labels: np.ndarray) -> np.ndarray:
    """Return class numbers [B] of labels that are these, or one-hot [B, classes].

    Whole numbers stored as floats are class numbers, and so are False and True. What is neither is
    returned as it is.

    Raises:
        ValueError: If labels are shares of several classes.
    """
    if labels.ndim != 2:
        whole = labels.dtype.kind == "f" and (labels % 1 == 0).all()
        return labels.astype(np.int64) if whole or labels.dtype.kind == "b" else labels
    if not is_one_hot(labels):
        raise ValueError(
            "Labels must be class numbers [B] or one-hot [B, classes]; these are shares of several "
            f"classes, which only training labels may be. Received: {labels[0].tolist()}"
        )
    return labels.argmax(axis=1)


def is_one_hot(labels: np.ndarray) -> bool:
    """Return whether each row has a single one, and else zeros."""
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all())


def _elements(source: Any) -> Iterator[Any]:
    if hasattr(source, "as_numpy_iterator"):
        return in_batches(source).as_numpy_iterator()
    if isinstance(source, tuple) and all(hasattr(each, "shape") for each in source):
        return _slices(source)
    if hasattr(source, "__getitem__") and hasattr(source, "on_epoch_end"):  # a PyDataset
        return (source[place] for place in range(len(source)))
    if hasattr(source, "batch_size") and hasattr(source, "dataset"):  # a DataLoader
        return iter(source)
    received = "a whole data set of kcnn" if hasattr(source, "steps_per_epoch") else ""
    hint = ": pass its part, such as data.test" if received else ""
    raise ValueError(f"Expected {TAKEN}. Received: {received or type(source).__name__}{hint}.")


def _slices(arrays: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    counts = {len(each) for each in arrays}
    if len(counts) > 1:
        shapes = ", ".join(str(tuple(each.shape)) for each in arrays)
        raise ValueError(f"Arrays of images and labels must be equally long. Received: {shapes}.")
    for start in range(0, counts.pop() if counts else 0, _AT_ONCE):
        yield tuple(each[start : start + _AT_ONCE] for each in arrays)


def _batch(element: Any, source: Any) -> Batch:
    parts = list(element) if isinstance(element, tuple | list) else []
    if len(parts) not in (2, 3) or any(isinstance(part, dict | tuple | list) for part in parts):
        received = f"{len(parts)} parts" if parts else type(element).__name__
        if isinstance(element, dict):
            received = f"a dict of {', '.join(map(repr, element))}: map it to such a tuple"
        raise ValueError(
            f"Each element of {_kind(source)} must be (images, labels) or (images, labels, "
            f"weights). Received: {received}."
        )
    torch = type(parts[0]).__module__.startswith("torch")
    images, labels, *weights = (np.asarray(part) for part in parts)
    if labels.ndim == 0:
        raise ValueError(
            f"{_kind(source)} must give batches: images [B, H, W, C] and labels [B]. "
            f"Received: one image {images.shape} at a time."
        )
    if torch and images.ndim == 4 and images.shape[1] in (1, 3):
        images = images.transpose(0, 2, 3, 1)
    if len(labels) != len(images) or labels.ndim > 2:
        raise ValueError(
            "Batches must be images [B, H, W, C] and labels [B] or [B, classes]. Received: "
            f"{images.shape} and {labels.shape}."
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    return Batch(images, labels, weights[0] if weights else None)


def _kind(source: Any) -> str:
    is_dataset = hasattr(source, "as_numpy_iterator")  # of a class with a private name
    return "a tf.data.Dataset" if is_dataset else f"a {type(source).__name__}"


def own_names(source: Any) -> list[str] | None:
    """Return the class names that a data set of another library has, None if it has none.

    Keras's `image_dataset_from_directory` keeps them as `class_names` and its older generators as
    `class_indices`, PyTorch's `ImageFolder` as `classes`.
    """
    holder = source
    while holder is not None:
        for attribute in ("class_names", "class_indices", "classes"):
            names = getattr(holder, attribute, None)
            listed = isinstance(names, list | tuple | dict)
            if listed and names and all(isinstance(each, str) for each in names):
                return list(names)
        holder = getattr(holder, "dataset", None)  # of a DataLoader, or of a Subset
    return None
