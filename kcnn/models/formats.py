"""Files that are no `.keras` models, and `.keras` files that need code: how to convert them."""

import re
from pathlib import Path

from kcnn.errors import one_line
from kcnn.saved_model import check_no_saved_model

NOT_LOCATED = re.compile(r"Could not locate (class|function) '(\w+)'")
_HDF5 = (".h5", ".hdf5")
_OTHERS = {
    ".onnx": "an ONNX model",
    ".pb": "a graph of TensorFlow",
    ".pt": "a file of PyTorch",
    ".pth": "a file of PyTorch",
    ".safetensors": "a file of weights",
    ".tflite": "an exported model",
}


def check_format(path: Path) -> None:
    """Raise a ValueError unless `path` is a file that ends in `.keras`.

    The message says how to make one of Keras's older formats, of which one holds no layers.

    >>> check_format(Path("nowhere.keras"))
    Traceback (most recent call last):
    ValueError: There is no file 'nowhere.keras'.
    """
    name = str(path)
    if not path.is_file():
        check_no_saved_model(path if path.is_dir() else path.parent)
        if path.is_dir():
            raise ValueError(f"{name!r} is a folder: name the file of a model in it.")
        raise ValueError(f"There is no file {name!r}.")
    if path.suffix == ".keras":
        return
    if path.name.endswith(".weights.h5"):
        raise ValueError(
            f"{name!r} is not a .keras model but its weights alone. Build the model, then "
            f"model.load_weights({path.name!r}) and model.save('model.keras')."
        )
    if path.suffix in _HDF5:
        raise ValueError(
            f"{name!r} is not a .keras model but one of Keras's older format HDF5. Convert it, if "
            f"you trust it: keras.models.load_model({path.name!r}, compile=False)"
            f".save({path.stem + '.keras'!r})."
        )
    kind = _OTHERS.get(path.suffix, "damaged, or another format")
    raise ValueError(f"{name!r} is not a .keras model ({kind}).")


def cannot_load(path: Path, error: Exception) -> ValueError:
    """Return the error for a `.keras` file that Keras does not load, in one line with a way out."""
    where, whole = f"{str(path)!r} cannot be loaded", str(error)
    if "Lambda" in whole or "`lambda`" in whole:
        return ValueError(
            f"{where}: it has a Lambda layer, whose Python code would run. Build the model with "
            "layers and keras.ops in its place. If you trust the file, load it yourself with "
            "keras.models.load_model(file, safe_mode=False) and pass the model."
        )
    if found := NOT_LOCATED.search(whole):
        return ValueError(
            f"{where}: its {found[1]} {found[2]!r} is not known. Import the module that defines it "
            "first, with @keras.saving.register_keras_serializable() above it."
        )
    return ValueError(f"{where}: {one_line(error)}")
