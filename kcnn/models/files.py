"""Models on disk: written whole or not at all, and read with a true reason when that fails."""

import os
import zipfile
from pathlib import Path

import keras

from kcnn.run_dir import atomic


def save(model: keras.Model, path: str | os.PathLike) -> Path:
    """Write `model` for inference: architecture and weights, no optimizer, stock Keras layers.

    Any Keras 3 loads the file, without kcnn. A failed write leaves an older file as it was.

    Raises:
        ValueError: the path does not end in `.keras`.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ValueError(f"A model is saved as a .keras file. Received: {str(path)!r}")
    # A compiled model, or its clone, would carry its optimizer along.
    bare = model.__class__.from_config(model.get_config())
    bare.set_weights(model.get_weights())
    with atomic(path) as temporary:
        bare.save(temporary)
    return path


def load(path: str | os.PathLike) -> keras.Model:
    """Read a `.keras` file, refusing code hidden in it (Keras's `safe_mode`).

    Raises:
        ValueError: there is no such file, or it is not a whole `.keras` file.

    >>> load("nowhere.keras")
    Traceback (most recent call last):
    ValueError: There is no file 'nowhere.keras'.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"There is no file {str(path)!r}.")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise ValueError(f"{str(path)!r} is not a .keras model (damaged, or another format).")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises all kinds, over many lines
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{str(path)!r} cannot be loaded: {reason}") from error
