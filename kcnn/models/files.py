"""Models on disk: written completely or not at all; an error names the reason."""

import os
from pathlib import Path
from typing import Any, cast

import keras

import kcnn.layers  # noqa: F401  registers the layers with Keras, in case the file has them
from kcnn.model_places import MANIFEST
from kcnn.models.archive import check_archive
from kcnn.models.described import check_configuration
from kcnn.models.formats import cannot_load, check_format
from kcnn.models.published import load_published
from kcnn.run_dir import atomic


def save(model: keras.Model, path: str | os.PathLike[str]) -> Path:
    """Write `model` for inference: architecture and weights, no optimizer.

    Any Keras 3 loads the file. It needs kcnn only if the model has one of the layers that Keras
    lacks (`kcnn.layers`). A failed write does not change an existing file.

    Args:
        model: any Keras model that has a configuration.
        path: of the file; it ends in `.keras`.

    Returns:
        The path.

    Raises:
        ValueError: the path does not end in `.keras`.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ValueError(f"path must end in .keras. Received: path={str(path)!r}")
    # A compiled model, or its clone, would be saved with its optimizer.
    bare = model.__class__.from_config(model.get_config())
    bare.set_weights(model.get_weights())
    with atomic(path) as temporary:
        bare.save(temporary)
    return path


def load(path: str | os.PathLike[str]) -> keras.Model:
    """Read a `.keras` file without running code from it (Keras's `safe_mode`).

    The manifest of published weights, `weights.json`, is read by `kcnn.models.load_published`.

    Returns:
        The model for inference, not compiled.

    Raises:
        ValueError: there is no such file, it is not a complete `.keras` file, it unpacks to far
            more than a model needs, or it describes far more weights than it has.

    >>> load("nowhere.keras")
    Traceback (most recent call last):
    ValueError: There is no file 'nowhere.keras'.
    """
    path = Path(path)
    if path.name == MANIFEST and path.is_file():
        return load_published(path.parent)
    check_format(path)
    check_archive(path)
    check_configuration(path)
    try:
        return cast(keras.Model, keras.models.load_model(path, compile=False, safe_mode=True))
    except Exception as error:  # Keras raises many kinds of errors, with text of many lines
        raise cannot_load(path, error) from error


def in_float32(model: keras.Model) -> keras.Model:
    """Return `model`, or if it computes in mixed precision, a float32 copy with its weights.

    Use it after training: TF-MOT and LiteRT know float32 only, and a `.keras` file in mixed
    precision would compute that way wherever it is loaded.

    >>> with_policy = keras.layers.Dense(2, dtype="mixed_bfloat16")
    >>> model = keras.Sequential([keras.Input((3,)), with_policy])
    >>> in_float32(model).layers[0].compute_dtype
    'float32'
    """
    config = model.get_config()
    replaced = _without_mixed_policies(config)
    if replaced == config:
        return model
    copy = model.__class__.from_config(replaced)
    copy.set_weights(model.get_weights())
    for ours, theirs in zip(copy.weights, model.weights, strict=True):
        ours.trainable = theirs.trainable  # the configuration only has that of whole layers
    return copy


def _without_mixed_policies(config: Any) -> Any:
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            mixed = config["config"]["name"].startswith("mixed_")
            return "float32" if mixed else config
        return {key: _without_mixed_policies(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_without_mixed_policies(value) for value in config)
    return config
