"""Kernels of 4 bits in an int8 file: half the bytes, for runtimes that unpack them.

The first and the last kernel and depthwise ones stay in 8 bits: they hold few weights and would
lose most. Activations stay int8.
"""

import numpy as np

from kcnn.export.stored_kernels import (
    AXES,
    DENSE,
    StoredKernel,
    Weights,
    along,
    find_kernels,
    float_weights,
    kernel_operators,
    original,
    store,
)
from kcnn.litert.schema import (
    Graph,
    Model,
    Operator,
    numbers,
    parse,
    serialize,
    tables,
    tensor_at,
    text,
)

_LARGEST = 7
# The first versions of the operators that take a kernel of 4 bits beside int8 activations.
_VERSIONS = {"CONV_2D": 7, DENSE: 10}
# By how many steps a kernel that was trained for 4 bits may differ from its stored numbers.
_EXACT = 0.05


def with_int4_kernels(
    data: bytes, source: bytes, *, dense_per_channel: bool = False, trained: bool = False
) -> bytes:
    """Return an int8 model with kernels of 4 bits, between the first and the last kernel.

    Args:
        data: the int8 model, as the converter writes it.
        source: the same model in floats, from which the kernels are rounded.
        dense_per_channel: whether a dense kernel gets a scale for each output, or one for all.
        trained: whether the model was trained for int4, so that no number may be rounded again.

    Raises:
        ValueError: there is no kernel in between, or the model was trained for other numbers.
    """
    model = parse(data)
    every = [
        operator
        for graph, operator, kind in kernel_operators(model)
        if not _scales_channels(graph, operator, kind)
    ]
    narrow = [
        each
        for each in find_kernels(model)
        if each.kind in _VERSIONS and each.operator not in (*every[:1], *every[-1:])
    ]
    if not narrow:
        raise ValueError(
            'quantization="int4" keeps the first and the last kernel, and depthwise ones, in 8 '
            'bits, and the model has no others: export it with quantization="int8".'
        )
    originals = float_weights(parse(source))
    for kernel in narrow:
        weights = original(kernel, originals)
        scales = _scales_of(kernel, weights, by_output=dense_per_channel or kernel.kind != DENSE)
        if trained:
            _check_grid(kernel, weights, scales)
        store(model, kernel, weights, scales, 4)
        _raise_version(model, kernel.operator, _VERSIONS[kernel.kind])
    return serialize(model)


def _scales_channels(graph: Graph, operator: Operator, kind: str) -> bool:
    """Return whether an operator multiplies channels only, as a batch norm or scaled pixels do.

    Training for int4 counts no such kernel as the first or the last one.
    """
    shape = numbers(tensor_at(graph, numbers(operator.inputs)[1]).shape)
    return kind == "DEPTHWISE_CONV_2D" and shape[1:3] == [1, 1]


def _scales_of(kernel: StoredKernel, weights: Weights, *, by_output: bool) -> np.ndarray:
    """Return the scales with which a kernel's largest magnitudes become the largest number."""
    floats = np.abs(weights[0])
    axis = AXES[kernel.kind]
    others = tuple(each for each in range(floats.ndim) if each != axis) if by_output else None
    largest = np.atleast_1d(floats.max(axis=others))
    unused = kernel.scales.max()  # for an output whose weights are all 0
    return np.where(largest > 0, largest / _LARGEST, unused).astype(np.float32)


def _check_grid(kernel: StoredKernel, weights: Weights, scales: np.ndarray) -> None:
    steps = weights[0] / along(scales.astype(np.float64), weights[0].ndim, AXES[kernel.kind])
    if np.abs(steps - np.rint(steps)).max() > _EXACT:
        name = text(tensor_at(kernel.graph, numbers(kernel.operator.inputs)[1]).name)
        raise ValueError(
            f"The model was trained for kernels of 8 bits ({name!r}): train it with "
            'weight_bits=4, or export it with quantization="int8".'
        )


def _raise_version(model: Model, operator: Operator, version: int) -> None:
    code = tables(model.operatorCodes)[operator.opcodeIndex]
    code.version = max(code.version, version)
