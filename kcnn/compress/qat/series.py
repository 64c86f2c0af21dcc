"""A model of series as one of maps of a single row, which training for int8 knows."""

from typing import Any

import keras
import numpy as np

from kcnn.arithmetic.layer_calls import Call, calls
from kcnn.models.rewrite import call_copy, rewrite

L = keras.layers

_RANK_OF_SERIES = 3  # [N, steps, C]
_RANK_OF_VOXELS = 5

_TWINS: dict[Any, type[keras.layers.Layer]] = {
    L.Conv1D: L.Conv2D,
    L.DepthwiseConv1D: L.DepthwiseConv2D,
    L.SeparableConv1D: L.SeparableConv2D,
    L.AveragePooling1D: L.AveragePooling2D,
    L.MaxPooling1D: L.MaxPooling2D,
    L.GlobalAveragePooling1D: L.GlobalAveragePooling2D,
    L.GlobalMaxPooling1D: L.GlobalMaxPooling2D,
    L.Cropping1D: L.Cropping2D,
    L.ZeroPadding1D: L.ZeroPadding2D,
    L.SpatialDropout1D: L.SpatialDropout2D,
}

# These compute the same in any shape, once their axes are moved.
_ANY_SHAPE = (
    *(L.Activation, L.ReLU, L.LeakyReLU, L.Add, L.Subtract, L.Multiply, L.Concatenate),
    *(L.BatchNormalization, L.Rescaling, L.Normalization, L.Flatten, L.Reshape, L.Permute),
    *(L.Dense, L.Dropout, L.AlphaDropout, L.GaussianDropout, L.GaussianNoise),
)


def series_as_maps(model: keras.Model) -> keras.Model:
    """Return the same function of series, whose layers see maps [N, 1, steps, C].

    TensorFlow Lite itself convolves series as such maps. A batch norm directly behind a convolution
    can then be folded, and there is one list of layers for both.

    Args:
        model: as `kcnn.models.as_layers` returns it. It is not changed.

    Returns:
        A new model; `model` itself if its input is no series.

    Raises:
        ValueError: a layer has no counterpart for maps; the message names it. Or the model is one
            of voxels.
    """
    rank = len(model.inputs[0].shape)
    if rank == _RANK_OF_VOXELS:
        raise ValueError(
            f"Model {model.name!r} cannot be trained for int8: LiteRT convolves voxels in floats "
            'only. Export it with quantization="none".'
        )
    if rank != _RANK_OF_SERIES:
        return model

    def start(series: keras.KerasTensor) -> Any:
        steps, channels = series.shape[1:]
        return L.Reshape((1, steps or -1, channels), name="as_maps")(series)

    return rewrite(calls(model), _step, start, model.name)


def _step(call: Call, inputs: list[keras.KerasTensor]) -> Any:
    layer: Any = call.layer
    kind = layer.__class__
    if _RANK_OF_SERIES not in [len(each.shape) for each in (*call.inputs, *call.outputs)]:
        return call_copy(layer, inputs)
    _check(call)
    twin, config = _TWINS.get(kind), layer.get_config()
    name = call.name.replace("/", "_")
    options: dict[str, Any] = {"name": name} | _moved(config, len(call.outputs[0].shape))
    if twin is None:
        return call_copy(layer, inputs, **options)
    if kind in (L.DepthwiseConv1D, L.SeparableConv1D):  # TensorFlow wants equal strides
        options["strides"] = config["strides"] * 2
    if config.get("padding") == "causal":
        before = (config["kernel_size"][0] - 1) * config["dilation_rate"][0]
        padding = L.ZeroPadding2D(((0, 0), (before, 0)), name=f"{name}_causal")
        inputs, options["padding"] = [padding(inputs[0])], "valid"
    weights = [each[None] if each.ndim == 3 else each for each in layer.get_weights()]
    return call_copy(layer, inputs, twin, weights, **options)


def _check(call: Call) -> None:
    layer: Any = call.layer
    kind = layer.__class__
    reason = None
    if kind not in _TWINS and kind not in _ANY_SHAPE:
        known = sorted(each.__name__ for each in (*_TWINS, *_ANY_SHAPE))
        reason = f"in a model of series, use one of these layers instead: {', '.join(known)}."
    elif getattr(layer, "data_format", "channels_last") != "channels_last":
        reason = "its data_format must be 'channels_last'."
    if reason:
        raise ValueError(
            f"Layer {call.name!r} ({kind.__name__}) cannot be trained for int8: {reason}"
        )


def _moved(config: dict[str, Any], rank: int) -> dict[str, Any]:
    """Return the options that name axes or sizes, for one more axis behind the batch."""
    options: dict[str, Any] = {}
    for key in ("kernel_size", "strides", "dilation_rate", "pool_size"):
        if key in config:
            options[key] = (1, *np.atleast_1d(config[key]).tolist())
    for key in ("padding", "cropping"):
        if not isinstance(config.get(key, "same"), str):
            options[key] = ((0, 0), tuple(config[key]))
    if config.get("axis") is not None:
        axes = [axis + (axis > 0) for axis in np.atleast_1d(config["axis"]).tolist()]
        options["axis"] = axes[0] if len(axes) == 1 else tuple(axes)
    if "dims" in config:  # of Permute
        options["dims"] = (1, *(axis + 1 for axis in config["dims"]))
    if "target_shape" in config and rank == _RANK_OF_SERIES:
        options["target_shape"] = (1, *config["target_shape"])
    return options
