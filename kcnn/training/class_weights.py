"""How much each class counts in the training loss, where some have few images."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np

from kcnn.checks import check_positive
from kcnn.data.jax_data import JaxData
from kcnn.errors import unknown

if TYPE_CHECKING:
    from kcnn.data import Data

ClassWeight = Literal["balanced"] | Mapping[int, float] | Mapping[str, float]
"""What `class_weight` takes: "balanced", or factors by class number or name."""


def class_weights(value: ClassWeight | None, data: "Data | JaxData") -> tuple[float, ...] | None:
    """Return the factor of each class in the loss, None if all count alike.

    Args:
        value: "balanced" for N / (classes * images of the class), with which all classes count
            alike, as scikit-learn computes it; or factors by class number or name, 1 for the rest.
        data: the data that are trained on.

    Raises:
        ValueError: a factor is not a positive number, or is of no class, or "balanced" is asked for
            data that are sampled so already.

    >>> import kcnn
    >>> data = kcnn.data.load("digits", limit=200)
    >>> class_weights({"3": 2.0}, data)[2:5]
    (1.0, 2.0, 1.0)
    """
    names = data.class_names
    if value is None:
        return None
    if isinstance(value, str):
        if value != "balanced":
            raise unknown("class_weight", value, ["balanced"])
        if getattr(data if isinstance(data, JaxData) else data.shuffled, "sampling", "") == value:
            raise ValueError(
                "The data have sampling='balanced', so every class has as many images in an epoch: "
                "leave class_weight='balanced' out, or load the data with sampling='uniform'."
            )
        counts = np.bincount(_labels(data), minlength=len(names))
        return tuple((counts.sum() / (len(names) * np.maximum(counts, 1))).tolist())
    if not isinstance(value, Mapping):
        raise ValueError(
            "class_weight must be 'balanced', or a dictionary of factors by class number or name. "
            f"Received: {value!r}"
        )
    weights = np.ones(len(names))
    for key, factor in value.items():
        check_positive(f"class_weight[{key!r}]", factor)
        weights[_number(key, names)] = float(factor)
    return tuple(weights.tolist())


def image_weights(weights: Sequence[float], labels: Any) -> Any:
    """Return the factor of each image in the loss, [B].

    Args:
        weights: those of the classes.
        labels: class numbers [B], or shares of classes [B, classes]; of Keras's backend.
    """
    table: Any = keras.ops.convert_to_tensor(np.array(weights, np.float32))
    if len(labels.shape) == 2:
        return keras.ops.sum(labels * table, axis=1)
    return keras.ops.take(table, labels, axis=0)


def _number(key: int | str, names: Sequence[str]) -> int:
    if isinstance(key, str):
        if key not in names:
            raise unknown("class in class_weight", key, names)
        return names.index(key)
    if not isinstance(key, Integral) or not 0 <= key < len(names):
        raise ValueError(
            f"class_weight must be of classes 0 to {len(names) - 1}, or of their names. "
            f"Received: {key!r}"
        )
    return int(key)


def _labels(data: "Data | JaxData") -> np.ndarray:
    """Return the class of each training image."""
    if isinstance(data, JaxData):
        return data.arrays.train.labels
    if data.shuffled is not None:
        return data.shuffled.examples.labels
    batches = (np.asarray(labels) for _, labels, *_ in data.train.as_numpy_iterator())
    return np.concatenate([each.argmax(axis=1) if each.ndim == 2 else each for each in batches])
