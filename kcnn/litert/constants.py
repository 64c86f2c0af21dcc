"""The constants of a `.tflite` model as arrays, and the scales of its tensors."""

import numpy as np

from kcnn.litert.schema import Model, Ranges, Tensor, dtype_name, numbers, tables


def constant(model: Model, tensor: Tensor, dtype: str) -> np.ndarray | None:
    """Return the numbers of a constant of this dtype; None for any other tensor."""
    content = tables(model.buffers)[tensor.buffer].data
    if content is None or dtype_name(tensor) != dtype or not len(content):
        return None
    values = np.frombuffer(bytes(bytearray(content)), np.dtype(dtype).newbyteorder("<"))
    return values.reshape(numbers(tensor.shape))


def scales_of(tensor: Tensor) -> np.ndarray:
    """Return the scales of a tensor, float64: one, one for each channel, or none."""
    ranges: Ranges | None = tensor.quantization
    return np.asarray(numbers(ranges.scale) if ranges else [], np.float64)
