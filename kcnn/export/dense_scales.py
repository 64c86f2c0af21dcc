"""One scale for the kernel of each dense layer of an integer file.

TensorFlow's converter gives such a kernel one scale for each output, as it does for a convolution.
The operator has the same version as before, so that a runtime that does not know of the scales runs
the file and answers wrongly: TensorFlow Lite Micro of May 2024, phones of earlier years and NNAPI.
With one scale for the whole kernel, every runtime answers alike.
"""

import numpy as np

from kcnn.export.stored_kernels import DENSE, find_kernels, float_weights, original, store
from kcnn.litert.schema import parse, serialize

_LARGEST = 127


def with_one_dense_scale(data: bytes, source: bytes) -> bytes:
    """Return an integer model whose dense kernels of 8 bits have one scale each.

    Kernels and biases are rounded from the floats that they come from, not from the numbers that
    the converter has rounded already. Where the floats are not found, the rounded numbers are used.

    Args:
        data: the integer model.
        source: the same model in floats, as the converter writes it.
    """
    model = parse(data)
    found = [each for each in find_kernels(model, [DENSE]) if len(each.scales) > 1]
    if not found:
        return data
    originals = float_weights(parse(source))
    for dense in found:
        weights = original(dense, originals)
        largest = float(np.abs(weights[0]).max())
        scale = np.float32(largest / _LARGEST if largest else dense.scales.max())
        store(model, dense, weights, np.array([scale], np.float32), 8)
    return serialize(model)
