"""Channels that change places in front of the first convolution, which can read them as they are.

Networks that read blue, green and red get them by `x[..., ::-1]`, for which there is no layer.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kcnn.arithmetic.nodes import node_of, nodes_of, readers_of, times_called

_PASSIVE = ("Cast", "ConvertToTensor", "StopGradient")
_ARITHMETIC = ("Add", "Divide", "Multiply", "Subtract", "TrueDivide")
_BACKWARDS = slice(None, None, -1)


@dataclass(frozen=True)
class Reordering:
    """An operation that changes the order of channels, and what comes behind it.

    Attributes:
        name: of the operation.
        between: names of what changes each channel by itself before the convolution.
        convolution: name of the layer whose kernel reads the channels.
        order: the channel of the operation's input that comes first, second, ...
    """

    name: str
    between: tuple[str, ...]
    convolution: str
    order: tuple[int, ...]

    def undo_constants(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments of one of `between`, for channels in their own order."""
        return tuple(
            each if isinstance(each, keras.KerasTensor) else self._undo(each) for each in args
        )

    def undo_kernel(self, weights: list[np.ndarray]) -> list[np.ndarray]:
        """Return the weights of the convolution, for channels in their own order."""
        kernel, *bias = weights
        return [kernel[:, :, np.argsort(self.order)], *bias]

    def _undo(self, constant: Any) -> Any:
        values: Any = keras.ops.convert_to_numpy(constant)
        each = np.ndim(values) and np.shape(values)[-1] > 1
        return np.asarray(values)[..., np.argsort(self.order)] if each else constant


def find_reordering(graph: Any) -> Reordering | None:
    """Return the first change of the channels' order that only a convolution reads, else None.

    Args:
        graph: a functional model without models inside it.
    """
    for node in nodes_of(graph):
        order = _order(node)
        if order is not None:
            return _follow(node, graph, order)
    return None


def source_of_channels(args: tuple[Any, ...]) -> Any:
    """Return the tensor whose channels an operation reorders, of which it gets these arguments."""
    if isinstance(args[0], keras.KerasTensor):
        return args[0]
    return node_of(args[0][0]).input_tensors[0]


def _follow(node: Any, graph: Any, order: tuple[int, ...]) -> Reordering | None:
    between: list[str] = []
    first = node.operation
    while True:
        tensor = node.outputs[0]
        readers = readers_of(graph, tensor)
        if len(readers) != 1 or times_called(graph, node.operation) != 1:
            return None
        node = readers[0]
        layer = node.operation
        # `__class__`, not `type`: a fast layer of kcnn answers with the Keras layer it replaces.
        if layer.__class__ is keras.layers.Conv2D:
            plain = layer.groups == 1 and layer.data_format == "channels_last"
            if not plain or times_called(graph, layer) != 1:
                return None
            return Reordering(first.name, tuple(between), layer.name, order)
        if not _keeps_channels(node, len(order)):
            return None
        between.append(layer.name)


def _order(node: Any) -> tuple[int, ...] | None:
    """Return the order in which an operation on images puts their channels, None for others."""
    operation, shape = node.operation, node.outputs[0].shape
    if len(shape) != 4 or shape[-1] is None or not _is_operation(operation):
        return None
    kind, axes = type(operation).__name__, (-1, 3)
    backwards = tuple(reversed(range(shape[-1])))
    if kind == "Flip":
        return backwards if operation.axis in axes else None
    if kind == "GetItem":
        return backwards if _is_backwards(_key(node), len(shape)) else None
    if kind != "Stack" or operation.axis not in axes:
        return None
    return _order_of_parts([node_of(tensor) for tensor in node.input_tensors])


def _order_of_parts(parts: list[Any]) -> tuple[int, ...] | None:
    """Return the order of channels that are taken one by one from a single tensor."""
    keys = [_key(part) for part in parts]
    source: Any = next(iter(parts[0].input_tensors), None)
    if any(
        key is None or part.input_tensors[0] is not source
        for key, part in zip(keys, parts, strict=True)
    ):
        return None
    order = tuple(key[-1] for key in keys if len(key) == 2 and key[0] is Ellipsis)
    if source is None or not all(isinstance(each, int) for each in order):
        return None
    return order if sorted(order) == list(range(source.shape[-1])) else None


def _key(node: Any) -> Any:
    """Return the key of `x[key]`, None for anything else and for a key of one part."""
    if not _is_operation(node.operation) or type(node.operation).__name__ != "GetItem":
        return None
    args, kwargs = node.arguments.args, node.arguments.kwargs
    key = args[1] if len(args) > 1 else kwargs.get("key")
    return key if isinstance(key, tuple) and len(key) > 1 else None


def _is_backwards(key: Any, rank: int) -> bool:
    if key is None or key[-1] != _BACKWARDS:
        return False
    whole = all(each is Ellipsis or each == slice(None) for each in key[:-1])
    return whole and (len(key) == rank or any(each is Ellipsis for each in key))


def _keeps_channels(node: Any, channels: int) -> bool:
    """Return whether a call treats each channel by itself, with constants that can be reordered."""
    operation, kind = node.operation, type(node.operation).__name__
    if operation.__class__ is keras.layers.ZeroPadding2D:
        return operation.data_format == "channels_last"
    if operation.__class__ is keras.layers.Rescaling:
        return np.size(operation.scale) == np.size(operation.offset) == 1
    if not _is_operation(operation) or len(node.outputs) != 1:
        return False
    if kind in _PASSIVE:
        return True
    args = node.arguments.args
    constants = [each for each in args if not isinstance(each, keras.KerasTensor)]
    if kind not in _ARITHMETIC or len(args) != 2 or len(constants) != 1:
        return False
    values: Any = keras.ops.convert_to_numpy(constants[0])
    shape = np.shape(values)
    return not shape or shape[-1] == int(np.prod(shape)) and shape[-1] in (1, channels)


def _is_operation(operation: Any) -> bool:
    return type(operation).__module__.startswith("keras.src.ops")
