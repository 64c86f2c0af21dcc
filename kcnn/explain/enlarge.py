"""Maps of any number of axes in the size of what they explain."""

from collections.abc import Sequence

import numpy as np


def enlarged(maps: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Return maps in another size, linear along each axis, as `tf.image.resize` does it.

    Args:
        maps: float32 [N, ...]: series, images or voxels.
        sizes: the new size of each axis but the first.

    >>> enlarged(np.array([[0.0, 4.0]], "float32"), [4])
    array([[0., 1., 3., 4.]], dtype=float32)
    """
    for axis, size in enumerate(sizes, 1):
        last = maps.shape[axis] - 1
        # The middle of a pixel of the result lies at the same place of the map.
        places = np.clip((np.arange(size) + 0.5) * (last + 1) / size - 0.5, 0, last)
        low = np.floor(places).astype(int)
        share = (places - low).astype("float32").reshape([-1, *[1] * (maps.ndim - axis - 1)])
        high = np.take(maps, np.minimum(low + 1, last), axis)
        maps = np.take(maps, low, axis) * (1 - share) + high * share
    return maps
