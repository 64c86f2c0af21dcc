"""A short digest of arrays."""

import hashlib

import numpy as np


def digest(*arrays: np.ndarray) -> str:
    """Return the first 16 digits of the SHA-256 of the arrays' values.

    >>> digest(np.zeros(3, "uint8"))
    '709e80c88487a241'
    """
    sha256 = hashlib.sha256()
    for array in arrays:
        sha256.update(np.ascontiguousarray(array).tobytes())
    return sha256.hexdigest()[:16]
