"""Write a model in a format of other runtimes, SavedModel or ONNX, and check the result."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kcnn.errors import one_line, unknown
from kcnn.export.calibration import noise
from kcnn.export.checks import check_model
from kcnn.export.fold_pixels import opened
from kcnn.export.probabilities import returns_probabilities, undecided, with_probabilities
from kcnn.export.strip_fake_quant import is_quantize_aware, strip_fake_quant
from kcnn.litert.native_log import native_log
from kcnn.models.files import in_float32
from kcnn.models.raw_pixels import check_trained_on_raw, take_raw_pixels
from kcnn.pixel_scaling import InputRange

_CHECKED = 4  # images of noise
_TOLERANCE = 1e-3  # of the largest answer

Answer = Callable[[np.ndarray], np.ndarray]


def _open_saved_model(path: Path) -> Answer:
    loaded: Any = tf.saved_model.load(str(path))
    return lambda images: np.asarray(loaded.serve(images))


def _open_onnx(path: Path) -> Answer:
    import onnxruntime  # an optional dependency

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: np.asarray(session.run(None, {name: images})[0])


@dataclass(frozen=True)
class _Format:
    """A format: Keras's name of it, the suffix of its files, what it needs, and how it is run."""

    keras_name: str
    suffix: str
    packages: tuple[str, ...]
    open: Callable[[Path], Answer]


FORMATS: Mapping[str, _Format] = MappingProxyType(
    {
        "saved_model": _Format("tf_saved_model", "", (), _open_saved_model),
        "onnx": _Format("onnx", ".onnx", ("tf2onnx", "onnxruntime"), _open_onnx),
    }
)


@dataclass(frozen=True)
class OtherFormat:
    """A written model.

    Attributes:
        path: the file, or the folder of a SavedModel.
        format: as passed to `export_format`.
        bytes: of the file, or of all files in the folder.
        largest_difference: between its answers and the model's, on images of noise.
    """

    path: Path
    format: str
    bytes: int
    largest_difference: float


def export_format(
    model: keras.Model,
    path: str | os.PathLike,
    format: str,
    *,
    softmax: bool = False,
    input_range: InputRange | None = None,
) -> OtherFormat:
    """Write a model as a SavedModel or as ONNX, in float32, with Keras's own export.

    Use it for TensorFlow Serving, for ONNX Runtime and for tools that convert from there. The input
    is raw pixels 0-255, float32 `(batch, height, width, channels)`; the output logits or
    probabilities. What is written is run, and its answers are compared with the model's.

    Args:
        model: as for `export_tflite`. It is not changed.
        path: a new folder for `"saved_model"`, a file that ends in `.onnx` for `"onnx"`.
        format: `"saved_model"`, or `"onnx"`, which needs the packages of `kcnn[onnx]`.
        softmax: return probabilities instead of logits.
        input_range: as for `export_tflite`, the numbers that the model was trained on if the
            program scaled the pixels. What is written scales raw pixels itself.

    Raises:
        ValueError: the format is unknown, the path exists or has another suffix, a package is
            missing, `input_range` is none, or the model is none that kcnn exports.
        RuntimeError: Keras cannot convert the model, or the written one answers differently.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(),
    ...                           keras.layers.Dense(2)])
    >>> made = export_format(model, tempfile.mkdtemp() + "/served", "saved_model")
    >>> made.path.name, made.largest_difference < 0.01
    ('served', True)
    """
    path = Path(path)
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    kind = FORMATS[format]
    _check_path(path, kind)
    missing = [each for each in kind.packages if find_spec(each) is None]
    if missing:
        raise ValueError(f"{format} needs {', '.join(missing)}: pip install 'kcnn[onnx]'.")
    check_model(model)
    if is_quantize_aware(model):
        model = strip_fake_quant(model, keep_ranges=False)
    whole = in_float32(_of_raw_pixels(model, input_range))
    probabilities = returns_probabilities(whole, None) if softmax else True
    if probabilities is None:
        raise undecided(model)
    if not probabilities:
        whole = with_probabilities(whole)
    with _new(path) as temporary:
        _convert(whole, temporary, kind)
        difference = _difference(whole, kind.open(temporary))
        files = [each for each in (temporary, *temporary.rglob("*")) if each.is_file()]
        size = sum(each.stat().st_size for each in files)
    return OtherFormat(path, format, size, difference)


def _of_raw_pixels(model: keras.Model, input_range: InputRange | None) -> keras.Model:
    """Return the model without layers that act in training only, which takes raw pixels."""
    model = opened(model)
    if input_range is not None:
        return take_raw_pixels(model, input_range)
    check_trained_on_raw(model, noise(model.inputs[0].shape[1:]))
    return model


def _check_path(path: Path, kind: _Format) -> None:
    if path.suffix != kind.suffix and kind.suffix:
        raise ValueError(f"The file to write must end in {kind.suffix}. Received: {path}.")
    if path.exists():
        raise ValueError(f"{str(path)!r} exists: name another one.")


@contextmanager
def _new(path: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes `path` only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        temporary = Path(folder) / path.name
        yield temporary
        shutil.move(temporary, path)


def _convert(model: keras.Model, path: Path, kind: _Format) -> None:
    try:
        with native_log(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tf2onnx, about names of NumPy
            signature = [keras.InputSpec(shape=model.inputs[0].shape, dtype="float32")]
            model.export(
                str(path), format=kind.keras_name, verbose=False, input_signature=signature
            )
    except Exception as error:  # the converters of other libraries raise nearly every kind of it
        raise RuntimeError(
            f"Keras cannot export {model.name!r} as {kind.keras_name}: {one_line(error)}"
        ) from error


def _difference(model: keras.Model, answer: Answer) -> float:
    """Return how far answers are from the model's; raise RuntimeError if that is too far."""
    shape = (_CHECKED, *model.inputs[0].shape[1:])
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    expected = np.asarray(model(images, training=False))
    found = answer(images)
    difference = float(np.abs(found - expected).max())
    if not difference <= _TOLERANCE * max(1.0, float(np.abs(expected).max())):  # as for NaN
        raise RuntimeError(
            f"The written model answers differently: by up to {difference:.3g}, where the largest "
            f"answer is {np.abs(expected).max():.3g}."
        )
    return difference
