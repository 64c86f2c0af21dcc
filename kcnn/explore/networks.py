"""The networks of a page: a model as float32 and as int8, as far as there are both."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from kcnn.litert.labels import read_labels
from kcnn.litert.tflite_file import read_tflite, summarize_bytes
from kcnn.litert.trial import try_model
from kcnn.run_digests import check_unchanged
from kcnn.run_dir import RunDir

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

_INT8 = "_int8"
_LARGE = 2**24  # bytes of a float form, above which its weights are halved
_LARGEST = 2**26  # bytes of both forms, above which the int8 form is shown alone


@dataclass(frozen=True)
class Networks:
    """A model in the forms that a page shows.

    Attributes:
        title: what the page calls it.
        files: the bytes of `.tflite` files, "float" before "int8"; one of them or both.
        labels: the class names; empty if they are not known.
        image_shape: (height, width, channels) of an image.
        saved: what makes the page of a large network smaller: "half" if the weights of the float
            form are float16, "int8" if it is left out; None for the whole network.
    """

    title: str
    files: Mapping[str, bytes]
    labels: tuple[str, ...]
    image_shape: tuple[int, ...]
    saved: Literal["half", "int8"] | None = None


def find_networks(
    model: "keras.Model | str | os.PathLike",
    *,
    calibration: "tf.data.Dataset | np.ndarray | None" = None,
    labels: Sequence[str] | None = None,
) -> Networks:
    """Return the float and the int8 form of a model.

    Of a large Keras model the weights of the float form are stored as float16, which changes its
    numbers by about a thousandth; of a very large one with an int8 form, that is the only form.

    Args:
        model: a Keras model; a run's folder; or a `.keras` or `.tflite` file. Of a file
            `NAME.keras`, `NAME_int8.tflite` beside it is the int8 form, and the other way round.
        calibration: training images, as `kcnn.export_tflite` takes them, that make the int8 form
            where no file has it; without them the page shows the float form alone.
        labels: the class names; by default those in the `.tflite` file or of the run.

    Raises:
        ValueError: there is no such model, it takes other images than gray or RGB ones, or it
            cannot be exported.

    >>> import keras
    >>> layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(2)]
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), *layers], name="tiny")
    >>> networks = find_networks(model, labels=["cat", "dog"])
    >>> networks.title, [*networks.files], networks.image_shape
    ('tiny', ['float'], (8, 8, 1))
    """
    if isinstance(model, str | os.PathLike):
        path = Path(model)
        file = RunDir(path).find_model() if path.is_dir() else path
        title = path.resolve().name if path.is_dir() else file.name
        check_unchanged(file, RunDir.of(file).labels)
        files, beside = _of_file(file, calibration), RunDir.of(file).class_names()
    else:
        title, files, beside = model.name, _of_keras(model, None, calibration), ()
    shapes = {name: _shapes(data, title) for name, data in files.items()}
    if len(set(shapes.values())) > 1:  # another model's file, by chance beside it
        first = next(iter(files))
        files, shapes = {first: files[first]}, {first: shapes[first]}
    image_shape, outputs = next(iter(shapes.values()))
    names = _labels(labels, files, beside, max(outputs, 2))
    files, saved = _smaller(files)
    return Networks(title, files, names, image_shape, saved)


def _of_file(file: Path, calibration: "tf.data.Dataset | np.ndarray | None") -> dict[str, bytes]:
    """Return the forms of the model in a file, and in the one that belongs to it."""
    from kcnn import models

    if file.suffix != ".tflite":
        return _of_keras(
            models.load(file), file.with_name(f"{file.stem}{_INT8}.tflite"), calibration
        )
    data = _read(file)
    summary = summarize_bytes(data, file)
    if not summary.tensor_dtypes.keys().isdisjoint(("int4", "int16")):
        raise ValueError(
            f"The page shows files with int8 or floats. Received: {str(file)!r} with "
            f"{summary.quantization}."
        )
    if summary.quantization != "int8":
        return {"float": data}
    source = file.with_name(f"{file.stem.removesuffix(_INT8)}.keras")
    if not file.stem.endswith(_INT8) or not source.is_file():
        return {"int8": data}
    check_unchanged(source)
    return _of_keras(models.load(source), file, None)


def _of_keras(
    model: "keras.Model", int8: Path | None, calibration: "tf.data.Dataset | np.ndarray | None"
) -> dict[str, bytes]:
    from kcnn.models.input_range import check_range
    from kcnn.tensorflow_only import check_tensorflow

    check_tensorflow("The page is made")
    check_range(model, np.full((1, 1, 1, 3), 255, np.uint8), called="The page's pictures")
    files = {"float": _export(model, "none", None)}
    if len(files["float"]) > _LARGE:
        files = {"half": _export(model, "float16", None)}
    if int8 is not None and int8.is_file():
        check_unchanged(int8)
        files["int8"] = _read(int8)
    elif calibration is not None:
        files["int8"] = _export(model, "int8", calibration)
    return files


def _export(
    model: "keras.Model", quantization: str, calibration: "tf.data.Dataset | np.ndarray | None"
) -> bytes:
    from kcnn.export import export_tflite

    with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
        path = Path(folder) / "model.tflite"
        export_tflite(model, path, quantization=quantization, calibration=calibration)
        return path.read_bytes()


def _smaller(forms: dict[str, bytes]) -> tuple[dict[str, bytes], Literal["half", "int8"] | None]:
    """Return the forms that a page holds, and what was saved, as `Networks` says it.

    Args:
        forms: "half" in place of "float" if its weights are float16.
    """
    if len(forms) > 1 and sum(map(len, forms.values())) > _LARGEST:
        return {"int8": forms["int8"]}, "int8"
    half = forms.pop("half", None)
    return (forms, None) if half is None else ({"float": half, **forms}, "half")


def _read(file: Path) -> bytes:
    data = read_tflite(file)
    try_model(data, file, "run")
    return data


def _shapes(data: bytes, name: str) -> tuple[tuple[int, ...], int]:
    """Return the shape of the images and the number of outputs."""
    summary = summarize_bytes(data, Path(name))
    shape, outputs = summary.inputs[0].shape[1:], summary.outputs[0].shape[-1]
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise ValueError(
            "The page shows networks that take gray or RGB images [N, height, width, 1 or 3]. "
            f"Received: {name!r} with [N, {', '.join(map(str, shape))}]."
        )
    return shape, outputs


def _labels(
    given: Sequence[str] | None, files: Mapping[str, bytes], beside: tuple[str, ...], classes: int
) -> tuple[str, ...]:
    if given is not None and (isinstance(given, str) or len(given) != classes):
        raise ValueError(f"labels must be {classes} names, one a class. Received: {given!r}.")
    inside = [read_labels(data) for data in files.values()]
    known = [tuple(given or ()), *inside, beside, tuple(map(str, range(classes)))]
    return next(names for names in known if len(names) == classes)
