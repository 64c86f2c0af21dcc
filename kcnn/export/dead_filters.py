"""Filters of zeros in a file with int16 activations: dead or pruned ones, or a batch norm's zero.

TensorFlow's quantizer for int16 gives them a scale of 0, by which no bias can be divided and which
no runtime should read. The quantizer for int8 does not.
"""

import numpy as np

from kcnn.export.stored_kernels import (
    StoredKernel,
    find_kernels,
    float_weights,
    store,
)
from kcnn.litert.constants import scales_of
from kcnn.litert.schema import numbers, parse, serialize, tensor_at

_FINER = 256  # by how much a bias is stored finer than the output, where no filter has a scale


def with_positive_scales(data: bytes, source: bytes) -> bytes:
    """Return an integer model in which filters of zeros have the scale of their largest neighbor.

    Args:
        data: the integer model.
        source: the same model in floats, which the quantizer got; its biases are stored again.
    """
    model = parse(data)
    changed = False
    pairs = zip([*find_kernels(model)], float_weights(parse(source)), strict=True)
    for kernel, weights in pairs:  # in the same order
        if (kernel.scales > 0).all():
            continue
        scales = np.where(kernel.scales > 0, kernel.scales, _scale_of_zeros(kernel))
        store(model, kernel, weights, scales.astype(np.float32), 8)
        changed = True
    return serialize(model) if changed else data


def _scale_of_zeros(kernel: StoredKernel) -> float:
    largest = float(kernel.scales.max())
    if largest > 0 or kernel.input_scale is None:
        return largest
    written = tensor_at(kernel.graph, numbers(kernel.operator.outputs)[0])
    return float(scales_of(written)[0]) / (kernel.input_scale * _FINER)
