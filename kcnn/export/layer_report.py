"""Where a quantized `.tflite` file departs from the float model that it was made from."""

import math
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from kcnn.export.convert import export_tflite
from kcnn.litert.every_map import Layer
from kcnn.litert.final_activation import final_activation
from kcnn.litert.layer_outputs import LayerOutputs
from kcnn.litert.loaded import takes_pixels
from kcnn.litert.tflite_file import read_tflite
from kcnn.litert.trial import try_model
from kcnn.notebook import html_table
from kcnn.pixel_scaling import InputRange


@dataclass(frozen=True)
class LayerError:
    """How far one layer of a quantized file is from the same layer in floats.

    Signal and noise are sums of squares over all images and numbers: of the float layer's output,
    and of the difference from it.

    Attributes:
        name: of the Keras layer that the operator was made from.
        kind: of the operator, such as `CONV_2D`.
        shape: of its output, with the batch of 1.
        snr: signal over noise in decibels, in the file as it is: the layer reads what the layers
            before it have rounded. At 20 dB the noise has a tenth of the signal's magnitude;
            infinite without noise.
        own_snr: the same if the layer reads the float model's numbers, rounded once.
        relative_error: the mean magnitude of the difference over that of the float output.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    snr: float
    own_snr: float
    relative_error: float


@dataclass(frozen=True)
class LayerErrors:
    """The errors of a quantized file, layer by layer.

    Attributes:
        path: the file.
        layers: in the order in which they are computed.
        images: how many they were measured on.
        unmatched: names of layers of the file that the float model computes in another way.
    """

    path: Path
    layers: tuple[LayerError, ...]
    images: int
    unmatched: tuple[str, ...]

    def worst(self, count: int = 3) -> tuple[LayerError, ...]:
        """Return the layers that add the largest errors of their own, the largest first."""
        return tuple(sorted(self.layers, key=lambda layer: layer.own_snr)[:count])

    def _repr_html_(self) -> str:
        rows = [
            [each.name, each.kind, round(each.snr, 1), round(each.own_snr, 1), each.relative_error]
            for each in self.layers
        ]
        header = ["layer", "operator", "SNR, dB", "its own, dB", "relative error"]
        worst = ", ".join(each.name for each in self.worst())
        note = f"{self.images} images; the largest errors of their own: {worst}"
        return html_table(header, rows, title=str(self.path), note=note)


def layer_errors(
    file: str | os.PathLike,
    model: keras.Model,
    images: np.ndarray,
    *,
    input_range: InputRange | None = None,
) -> LayerErrors:
    """Compare a quantized `.tflite` file with its float model, layer by layer.

    Use it if quantization costs accuracy: the layers that add most of the error can stay in floats,
    see `exclude` of `kcnn.export_tflite`. Each layer is run twice: on what the file's layers before
    it compute, and on what the float model computes there.

    Args:
        file: that kcnn has written, in any quantization.
        model: the one that it was exported from. It is not changed.
        images: uint8 `(count, height, width, channels)`, raw pixels that the file was not
            calibrated on, such as validation images; for series and voxels their numbers.
        input_range: as for `kcnn.export_tflite`, if the file was exported with it.

    Raises:
        ValueError: the file or the images are not of this model, or the file is damaged.
        RuntimeError: TensorFlow Lite cannot convert the model in floats.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv"),
    ...     keras.layers.Flatten(), keras.layers.Dense(2, name="logits")])
    >>> images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3)).astype(np.uint8)
    >>> path = tempfile.mkdtemp() + "/model.tflite"
    >>> _ = export_tflite(model, path, calibration=images)
    >>> [(each.kind, each.snr > 20) for each in layer_errors(path, model, images).layers]
    [('CONV_2D', True), ('RESHAPE', True), ('FULLY_CONNECTED', True)]
    """
    path, images = Path(file), np.asarray(images)
    data = read_tflite(path)
    try_model(data, path)
    whole, apart = (LayerOutputs(data, path, apart=apart) for apart in (False, True))
    _check_images(images, whole, path)
    floats = LayerOutputs(_in_floats(model, data, input_range), path)
    pairs = [*_pairs(whole.layers, floats.layers)]
    if not pairs:
        raise ValueError(
            f"{path} has no layer in common with model {model.name!r}: pass the model that the "
            "file was exported from."
        )
    sums = [_Sums() for _ in pairs]
    for image in images:
        expected, found = floats(image), whole(image)
        known = {ours.output: expected[theirs.output] for ours, theirs in pairs}
        alone = apart(image, found | known)
        for total, (ours, theirs) in zip(sums, pairs, strict=True):
            total.add(expected[theirs.output], found[ours.output], alone[ours.output])
    compared = {ours.output for ours, _ in pairs}
    return LayerErrors(
        path=path,
        layers=tuple(total.of(ours) for total, (ours, _) in zip(sums, pairs, strict=True)),
        images=len(images),
        unmatched=tuple(each.name for each in whole.layers if each.output not in compared),
    )


def _in_floats(model: keras.Model, quantized: bytes, input_range: InputRange | None) -> bytes:
    """Return the float file of a model, with the ending of the quantized file."""
    ends = final_activation(quantized) in ("softmax", "sigmoid")
    with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
        path = Path(folder) / "float.tflite"
        raw = "0..255" if input_range is None else input_range  # what the quantized file takes
        export_tflite(model, path, quantization="none", softmax=ends, input_range=raw)
        return path.read_bytes()


def _check_images(images: np.ndarray, file: LayerOutputs, path: Path) -> None:
    shape, pixels = file.source.shape[1:], takes_pixels(file.source)
    fits = images.dtype == np.uint8 if pixels else images.dtype.kind in "uif"
    if not fits or images.shape[1:] != shape or not len(images):
        raise ValueError(
            f"images must be {'uint8, raw pixels 0-255' if pixels else 'numbers'}, shape (count, "
            f"{', '.join(map(str, shape))}), as {path.name} takes them. Received: {images.dtype}, "
            f"shape {images.shape}."
        )


def _pairs(ours: tuple[Layer, ...], theirs: tuple[Layer, ...]) -> Iterator[tuple[Layer, Layer]]:
    """Yield each layer of the quantized model with the same one of the float model.

    A layer that is computed by several operators has them in the same order.
    """
    waiting: dict[object, list[Layer]] = defaultdict(list)
    for each in theirs:
        waiting[each.name, each.kind, each.shape].append(each)
    for each in ours:
        same = waiting[each.name, each.kind, each.shape]
        if same:
            yield each, same.pop(0)


class _Sums:
    """What is summed over the images for one layer."""

    def __init__(self) -> None:
        self._signal = self._noise = self._own_noise = 0.0
        self._magnitude = self._difference = 0.0

    def add(self, expected: np.ndarray, found: np.ndarray, alone: np.ndarray) -> None:
        expected, found, alone = (np.asarray(each, np.float64) for each in (expected, found, alone))
        self._signal += np.square(expected).sum()
        self._noise += np.square(found - expected).sum()
        self._own_noise += np.square(alone - expected).sum()
        self._magnitude += np.abs(expected).sum()
        self._difference += np.abs(found - expected).sum()

    def of(self, layer: Layer) -> LayerError:
        return LayerError(
            name=layer.name,
            kind=layer.kind,
            shape=layer.shape,
            snr=_decibels(self._signal, self._noise),
            own_snr=_decibels(self._signal, self._own_noise),
            relative_error=float(_ratio(self._difference, self._magnitude)),
        )


def _decibels(signal: float, noise: float) -> float:
    ratio = _ratio(signal, noise)
    return 10 * math.log10(ratio) if ratio else -math.inf


def _ratio(part: float, whole: float) -> float:
    """Return a ratio; infinite if only the second number is 0, and of two zeros 1."""
    if whole:
        return part / whole
    return math.inf if part else 1.0
