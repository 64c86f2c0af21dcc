"""How much memory the weights of a network take, known before they take it.

A description of some hundred bytes can ask for terabytes of weights. Keras makes all of them before
it reads the first one from a file.
"""

import json
import math
import re
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
from keras.src.backend.common import global_state  # there is no public way to that list

# What a file may describe beyond what it has: layers of others may make weights that they do not
# save.
_FREE, _TIMES = 2**26, 4


def described_bytes(make: Callable[[], keras.Model]) -> int:
    """Return the size of the weights of the network that `make` builds, without making them.

    Of a network that cannot be built, those that would be made before the error count.

    >>> layers = [keras.layers.Dense(10**6, use_bias=False)]
    >>> described_bytes(lambda: keras.Sequential([keras.Input((10**6,)), *layers]))
    4000000000000
    """
    # Keras keeps a list of the variables that it has left without a value, and makes them later. It
    # has one in each thread, as it has counters for the names of layers.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_count, make).result()


def _count(make: Callable[[], keras.Model]) -> int:
    # Whoever builds the network itself says what is wrong with it.
    with suppress(Exception), keras.StatelessScope(initialize_variables=False):
        make()
    left: Any = global_state.get_global_attribute("uninitialized_variables", [])
    return sum(math.prod(each.shape) * _bytes(each.dtype) for each in left)


def _bytes(dtype: str) -> int:
    """Return the size of a number.

    >>> [_bytes(each) for each in ("float32", "bfloat16", "float8_e4m3fn", "bool")]
    [4, 2, 1, 1]
    """
    bits = re.search(r"\d+", dtype)
    return max(1, int(bits[0]) // 8) if bits else 1


def check_described(make: Callable[[], keras.Model], has: int, file: Path) -> None:
    """Refuse a file that describes far more weights than it has.

    Args:
        make: builds the network that it describes.
        has: the size of its weights.
        file: the file, which the error names.

    Raises:
        ValueError: it does; the message has both sizes.
    """
    described = described_bytes(make)
    if described > max(_FREE, _TIMES * has):
        raise ValueError(
            f"{str(file)!r} is refused: it describes {described:,} bytes of weights, and there are "
            f"{has:,}."
        )


def check_configuration(path: Path) -> None:
    """Refuse a `.keras` file whose configuration describes far more weights than the file has.

    Raises:
        ValueError: as `check_described`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            has = sum(each.file_size for each in archive.infolist())
    except Exception:  # Keras says what is wrong with it
        return
    if isinstance(config, dict):
        config["compile_config"] = None
    check_described(
        lambda: keras.saving.deserialize_keras_object(config, safe_mode=True), has, path
    )
