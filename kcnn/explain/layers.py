"""Which layer of a model to explain: its spatial feature maps, and the best one among them."""

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

from kcnn.errors import unknown
from kcnn.explain.trace import Call
from kcnn.layers import GlobalL2Pooling, ReflectionPadding, WindowPooling

logger = logging.getLogger("kcnn")

# They move, subsample or blank activations without computing new ones, so the map before them
# shows the same evidence at a finer resolution. (In inference, dropout returns its input itself.)
_KINDS = (
    "MaxPooling",
    "AveragePooling",
    "AdaptiveAveragePooling",
    "AdaptiveMaxPooling",
    "GlobalMaxPooling",
    "GlobalAveragePooling",
    "ZeroPadding",
    "Cropping",
    "UpSampling",
)
_PASSIVE = (
    *(getattr(keras.layers, f"{kind}{rank}D") for kind in _KINDS for rank in (1, 2, 3)),
    keras.layers.Reshape,
    keras.layers.Permute,
    GlobalL2Pooling,
    ReflectionPadding,
    WindowPooling,
)

_SHAPES = {
    1: "[N, steps, channels]",
    2: "[N, height, width, channels]",
    3: "[N, depth, height, width, channels]",
}
_SMALLEST = {1: "1", 2: "1x1", 3: "1x1x1"}


def spatial_layer(
    calls: Mapping[str, Call],
    layer: str | None = None,
    *,
    passed: Collection[str] | None = None,
    rank: int = 2,
) -> str:
    """Return the name of the layer to explain, as it stands in `calls`.

    By default it is the last feature map before the head: the last spatial output, larger than
    1x1, of a layer that computes something (a convolution, a normalization, an activation, a sum
    of branches) and that every path to the output passes: a map of one branch would leave out the
    evidence of the others. Layers that pool, drop, pad or reshape do not count. In most CNNs that
    is the last ReLU, also where it is inside a nested model. A layer that the model uses more than
    once stands for its last use.

    Args:
        calls: the last call of each operation, from `kcnn.explain.trace.recorded`.
        layer: the name of a layer whose output is [N, height, width, channels], or None. A layer
            inside a nested model is "backbone/relu", or just "relu" if no other has that name.
        passed: what `kcnn.explain.paths.on_every_path` returns; None if it is not known.
        rank: axes of a map: 1 for series, 2 for images, 3 for voxels.

    Raises:
        ValueError: `layer` is unknown, ambiguous or not spatial, or there is no feature map.

    >>> from kcnn.explain.trace import recorded
    >>> image = keras.Input((8, 8, 3))
    >>> x = keras.layers.Conv2D(4, 3, name="conv")(image)
    >>> x = keras.layers.ReLU(name="relu")(x)
    >>> x = keras.layers.MaxPooling2D(name="pool")(x)
    >>> model = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    >>> with recorded(model) as calls:
    ...     answer = model(tf.zeros((1, 8, 8, 3)))
    >>> spatial_layer(calls)
    'relu'
    """
    if layer is None:
        return _default(calls, passed, rank)
    candidates = [name for name, call in calls.items() if _is_spatial(call.output, rank)]
    name = full_name(layer, calls, "layer", candidates)
    if name not in candidates:
        shape = getattr(calls[name].output, "shape", "several tensors")
        raise ValueError(
            f"Layer {layer!r} has no spatial output of shape {_SHAPES[rank]}, larger than "
            f"{_SMALLEST[rank]}. Received: {shape}. With one: {', '.join(candidates)}."
        )
    return name


def full_name(layer: str, names: Collection[str], kind: str, known: Iterable[str]) -> str:
    """Return the name that `layer` stands for: itself, or the one that ends in it after a slash.

    Args:
        layer: "backbone/relu", or just "relu".
        names: all names.
        kind: what has the names, for the error.
        known: the names that the error lists.

    Raises:
        ValueError: `layer` stands for no name, or for several.
    """
    matches = [layer] if layer in names else [n for n in names if n.endswith(f"/{layer}")]
    if not matches:
        raise unknown(kind, layer, known)
    if len(matches) > 1:
        raise ValueError(f"Several layers are called {layer!r}. Name one: {', '.join(matches)}.")
    return matches[0]


def _default(calls: Mapping[str, Call], passed: Collection[str] | None, rank: int) -> str:
    maps = _feature_maps(calls, rank)
    if passed is None:
        return maps[-1]
    # A layer of the user's own returns the tensor of the last layer inside it.
    outputs = {id(calls[name].output) for name in passed if name in calls}
    common = [name for name in maps if id(calls[name].output) in outputs]
    if not common:
        logger.warning(
            "No feature map lies on every path from the image to the output. Layer %r, the last "
            "one, shows the evidence of its own branch only.",
            maps[-1],
        )
    return (common or maps)[-1]


def _feature_maps(calls: Mapping[str, Call], rank: int) -> list[str]:
    """Return the names of all feature maps in order of computation, at least one."""
    # Outputs before the first kernel are preprocessed images, not feature maps.
    names = list(calls)
    first = next((i for i, name in enumerate(names) if _has_kernel(calls[name].operation)), None)
    by_output: dict[int, str] = {}
    for name in names if first is not None else []:
        # A nested model returns the tensor of its last layer, and dropout the tensor that it was
        # given: the first operation that returned a tensor is the one that computed it.
        by_output.setdefault(id(calls[name].output), name)
    found = [
        name
        for name in names[first:]
        if by_output.get(id(calls[name].output)) == name
        and _is_spatial(calls[name].output, rank)
        and not isinstance(calls[name].operation, _PASSIVE)
    ]
    if not found:
        raise ValueError(
            "The model has no feature map to explain: no layer from its first convolution on has "
            f"an output of shape {_SHAPES[rank]} larger than {_SMALLEST[rank]}."
        )
    return found


def _has_kernel(operation: keras.Operation) -> bool:
    """Tell whether an operation owns weights of rank 3 or more, as convolutions of any kind do."""
    return any(len(weight.shape) >= 3 for weight in getattr(operation, "weights", ()))


def _is_spatial(output: Any, rank: int) -> bool:
    # A tensor inside a user's tf.function has no value.
    eager = tf.is_tensor(output) and not tf.is_symbolic_tensor(output)
    return eager and output.shape.rank == rank + 2 and set(output.shape[1:-1]) != {1}
