"""Nested values with arrays in them as plain JSON beside the arrays: no pickles."""

from typing import Any

import keras
import numpy as np


def pack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return `value` as plain JSON, with each array moved to `arrays`."""
    if isinstance(value, dict):
        return {"dict": {key: pack(each, arrays) for key, each in value.items()}}
    if isinstance(value, list | tuple):
        return {"list": [pack(each, arrays) for each in value]}
    if isinstance(value, np.generic):
        return {"value": value.item()}
    if value is None or isinstance(value, bool | int | float | str):
        return {"value": value}
    array = np.asarray(keras.ops.convert_to_numpy(value))
    name, dtype = str(len(arrays)), array.dtype.name
    # NumPy's format has no bfloat16: its bits are kept as integers.
    plain = array.dtype.kind in "biuf"
    arrays[name] = array if plain else array.view(f"u{array.dtype.itemsize}")
    return {"array": name, "dtype": dtype}


def unpack(packed: dict[str, Any], arrays: Any) -> Any:
    """Return the value that `pack` was given; `arrays` may be an open `.npz` file."""
    if "dict" in packed:
        return {key: unpack(each, arrays) for key, each in packed["dict"].items()}
    if "list" in packed:
        return [unpack(each, arrays) for each in packed["list"]]
    if "value" in packed:
        return packed["value"]
    array, dtype = arrays[packed["array"]], np.dtype(packed["dtype"])
    return array if array.dtype == dtype else array.view(dtype)
