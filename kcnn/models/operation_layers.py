"""The layer that computes what an operation on tensors does: `Add` for `x + y`."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

L = keras.layers

_ACTIVATIONS = {
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "LogSoftmax": "log_softmax",
    "Relu": "relu",
    "Relu6": "relu6",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}
_MERGING = {
    "Add": L.Add,
    "Maximum": L.Maximum,
    "Minimum": L.Minimum,
    "Multiply": L.Multiply,
    "Subtract": L.Subtract,
}


def as_layer(operation: Any, args: Any, kwargs: Any) -> Any:
    """Return the output of a layer that computes what an operation on tensors does, or None."""
    kind, name = type(operation).__name__, operation.name
    if not type(operation).__module__.startswith("keras.src.ops"):
        return None
    if kind in ("Cast", "ConvertToTensor", "StopGradient"):
        unchanged = getattr(operation, "dtype", "float32") == "float32" == args[0].dtype
        return args[0] if unchanged else None
    if kind in _ACTIVATIONS and getattr(operation, "axis", -1) in (-1, len(args[0].shape) - 1):
        return L.Activation(_ACTIVATIONS[kind], name=name)(args[0])
    make = _MAKERS.get(kind)
    # Of the operations in the table, only padding has an option that its call gets: the filler.
    if make is not None and not any(each is not None for each in kwargs.values()):
        layer = make(operation, args)
        return None if layer is None else layer(args[0])
    tensors = [each for each in args if isinstance(each, keras.KerasTensor)]
    if kind in _MERGING and len(tensors) == len(args) == 2 and not kwargs:
        same_rank = len(args[0].shape) == len(args[1].shape)
        return _MERGING[kind](name=name)(list(args)) if same_rank else None
    if kind in _AFFINE and len(tensors) == 1 and len(args) == 2:
        return _rescaled(kind, name, args)
    return None


def _rescaled(kind: str, name: str, args: Any) -> Any:
    """Return `tensor * scale + offset` for an operation on a tensor and a constant."""
    first = isinstance(args[0], keras.KerasTensor)
    tensor, constant = args if first else reversed(args)
    values = np.asarray(keras.ops.convert_to_numpy(constant), np.float64)
    if values.size not in (1, tensor.shape[-1]) or values.ndim and values.shape[-1] != values.size:
        return None
    affine = _AFFINE[kind](values, first)
    if affine is None:
        return None
    scale, offset = affine
    before = tensor._keras_history
    if type(before.operation) is L.Rescaling:  # one layer for `x / 127.5 - 1`
        first_scale, first_offset = before.operation.scale, before.operation.offset
        offset = np.multiply(scale, first_offset) + offset
        scale = np.multiply(scale, first_scale)
        tensor = before.operation._inbound_nodes[before.node_index].input_tensors[0]
    options: dict[str, Any] = {
        key: float(np.ravel(each)[0]) if np.size(each) == 1 else np.ravel(each).tolist()
        for key, each in (("scale", scale), ("offset", offset))
    }
    return L.Rescaling(**options, name=name)(tensor)


def _divided(values: np.ndarray, first: bool) -> tuple[Any, Any] | None:
    return (1 / values, 0.0) if first and values.all() else None


def _subtracted(values: np.ndarray, first: bool) -> tuple[Any, Any]:
    return (1.0, -values) if first else (-1.0, values)


# By the class of an operation on a tensor and a constant: scale and offset of the constant, and
# whether the tensor comes first.
_AFFINE: dict[str, Callable[[np.ndarray, bool], tuple[Any, Any] | None]] = {
    "Add": lambda values, first: (1.0, values),
    "Divide": _divided,
    "Multiply": lambda values, first: (values, 0.0),
    "Subtract": _subtracted,
    "TrueDivide": _divided,
}


def _pooling(operation: Any, args: Any, kind: type[L.Layer]) -> L.Layer | None:
    rank, axes = len(args[0].shape), operation.axis
    axes = [axes] if isinstance(axes, int) else axes or []
    if getattr(operation, "initial", None) is not None:  # of `max`, a lower bound
        return None
    if rank == 4 and sorted(axis % rank for axis in axes) == [1, 2]:
        return kind(keepdims=operation.keepdims, name=operation.name)
    return None


def _reshape(operation: Any, args: Any) -> L.Layer | None:
    first, *rest = operation.newshape
    keeps_batch = first in (-1, None) or first == args[0].shape[0]
    return L.Reshape(tuple(rest), name=operation.name) if keeps_batch and rest else None


def _permute(operation: Any, args: Any) -> L.Layer | None:
    axes = operation.axes
    return L.Permute(tuple(axes[1:]), name=operation.name) if axes and axes[0] == 0 else None


def _zero_padding(operation: Any, args: Any) -> L.Layer | None:
    widths = [tuple(each) for each in operation.pad_width]
    zeros = operation.mode == "constant" and (len(args) < 2 or not args[1])
    outer = len(widths) == 4 and widths[0] == widths[3] == (0, 0)
    return L.ZeroPadding2D(tuple(widths[1:3]), name=operation.name) if zeros and outer else None


_MAKERS: dict[str, Callable[[Any, Any], L.Layer | None]] = {
    "Concatenate": lambda operation, args: L.Concatenate(operation.axis, name=operation.name),
    "Elu": lambda operation, args: L.ELU(operation.alpha, name=operation.name),
    "LeakyRelu": lambda operation, args: L.LeakyReLU(operation.negative_slope, name=operation.name),
    "Max": lambda operation, args: _pooling(operation, args, L.GlobalMaxPooling2D),
    "Mean": lambda operation, args: _pooling(operation, args, L.GlobalAveragePooling2D),
    "Pad": _zero_padding,
    "Reshape": _reshape,
    "Softmax": lambda operation, args: L.Softmax(operation.axis, name=operation.name),
    "Transpose": _permute,
}
