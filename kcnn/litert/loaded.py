"""A classifier's bytes in LiteRT, on one thread."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from kcnn.litert.feature_map import NAME, add_feature_map, read_class_weights
from kcnn.litert.native_log import native_log
from kcnn.litert.structure import damaged
from kcnn.litert.tflite_file import (
    Kernels,
    TensorSummary,
    TFLiteSummary,
    open_interpreter,
    summarize_bytes,
)
from kcnn.pixel_scaling import NAMED, PixelScaling


class LoadedModel:
    """An image classifier in LiteRT; `TFLiteClassifier` is what users get.

    Attributes:
        data: the model's bytes, with the feature map's output if one was asked for.
        summary: what they hold.
        feature_map_shape: `(height, width, channels)` of the second output, None without one.
        class_weights: float32 `(channels, classes)`, None without a second output.

    Args:
        data: the bytes of a `.tflite` file.
        path: the file, which errors name.
        feature_map: give the model its last feature map as second output.
        scaling: the numbers that the model wants for pixels; None to read it from the file.
        kernels: `"xnnpack"`, or `"reference"` for those that define what an operator computes.

    Raises:
        ValueError: the bytes are damaged or hold no image classifier, or the model has no such
            feature map, or does not tell what pixels it wants.
    """

    def __init__(
        self,
        data: bytes,
        path: Path,
        *,
        feature_map: bool = False,
        scaling: PixelScaling | None = None,
        kernels: Kernels = "xnnpack",
    ) -> None:
        """Verify and load the model."""
        summary = summarize_bytes(data, path)
        check_classifier(summary)
        if feature_map:
            data = add_feature_map(data, path)
            summary = summarize_bytes(data, path)
        self.data, self.summary = data, summary
        self._interpreter = open_interpreter(data, path, kernels)
        self._turn = threading.Lock()  # an interpreter holds the tensors of one image
        try:
            with native_log():
                self._interpreter.allocate_tensors()
        except RuntimeError as error:
            raise damaged(path, error) from error
        self._input_index = self._interpreter.get_input_details()[0]["index"]
        indices = [each["index"] for each in self._interpreter.get_output_details()]
        self._outputs = [*zip(indices, summary.outputs, strict=True)]
        self._stored = _storing(path, summary.inputs[0], scaling)
        self.feature_map_shape, self.class_weights = _feature_map(data, summary)

    def run(self, images: np.ndarray, *, outputs: int = 1) -> list[np.ndarray]:
        """Return the real numbers of the first `outputs` outputs, float32, for all images.

        Args:
            images: uint8 `(batch, height, width, channels)`, raw pixels; for a model of series or
                voxels, numbers of its shape.
            outputs: 1 for the logits, 2 for the feature map too.

        Raises:
            ValueError: other images than the model takes, or LiteRT cannot run it on them.
        """
        images, shape = np.asarray(images), self.summary.inputs[0].shape[1:]
        pixels = takes_pixels(self.summary.inputs[0])
        fits = images.dtype == np.uint8 if pixels else images.dtype.kind in "uif"
        if not fits or images.shape[1:] != shape:
            raise ValueError(
                f"{self.summary.path.name} takes "
                f"{'uint8 images of raw pixels 0-255' if pixels else 'numbers'}, shape (batch, "
                f"{', '.join(map(str, shape))}). Received: {images.dtype}, shape {images.shape}."
            )
        wanted = self._outputs[:outputs]
        results = [np.empty((len(images), *each.shape[1:]), np.float32) for _, each in wanted]
        for place, image in enumerate(images):
            stored = self._stored(image)[None]
            with self._turn:
                self._interpreter.set_tensor(self._input_index, stored)
                try:
                    self._interpreter.invoke()
                except RuntimeError as error:
                    raise damaged(self.summary.path, error) from error
                for result, (index, _) in zip(results, wanted, strict=True):
                    result[place] = self._interpreter.get_tensor(index)[0]
        return [
            result
            if tensor.scale is None or tensor.zero_point is None
            else (result - tensor.zero_point) * np.float32(tensor.scale)
            for result, (_, tensor) in zip(results, wanted, strict=True)
        ]


def check_classifier(summary: TFLiteSummary) -> None:
    """Check that a file takes images, series or voxels and returns logits.

    Files of images may also return a feature map.

    Raises:
        ValueError: the file is something else.
    """
    inputs, outputs = summary.inputs, summary.outputs
    shapes = [tensor.shape for tensor in inputs], [tensor.shape for tensor in outputs]
    ranks = [[len(shape) for shape in side] for side in shapes]
    seen = [tensor.name for tensor in outputs[1:]]
    if (
        ranks not in ([[3], [2]], [[4], [2]], [[4], [2, 4]], [[5], [2]])
        or seen not in ([], [NAME])
        or inputs[0].shape[0] != 1
    ):
        raise ValueError(
            f"{summary.path} is no image classifier: it must take one image [1, height, width, "
            "channels] (or one series [1, steps, channels], or voxels) and return [1, classes]. "
            f"Received: {shapes[0]} and {shapes[1]}."
        )
    target = outputs[0]
    named = (0, 1, 2) if target.shape[1] == 1 else (0, target.shape[1])
    if len(summary.labels) not in named:  # a single output stands for two classes
        raise ValueError(
            f"{summary.path} names {len(summary.labels)} classes, but predicts {target.shape[1]}."
        )
    for tensor in (*inputs, *outputs):
        known = ("float32",) if tensor.scale is None else ("int8", "uint8", "int16")
        if tensor.dtype not in known:
            raise ValueError(f"{summary.path}: cannot feed or read {tensor.dtype} {tensor.name}.")


def _feature_map(
    data: bytes, summary: TFLiteSummary
) -> tuple[tuple[int, ...], np.ndarray] | tuple[None, None]:
    """Return the shape of the second output and its class weights; None, None without one."""
    if len(summary.outputs) == 1:
        return None, None
    logits, seen = summary.outputs
    try:
        weights = read_class_weights(data, seen.shape[-1], logits.shape[-1])
    except ValueError as error:
        raise damaged(summary.path, error) from error
    return seen.shape[1:], weights


def takes_pixels(source: TensorSummary) -> bool:
    """Return whether a file's input is an image; else it is a series or voxels."""
    return len(source.shape) == 4


def _storing(
    path: Path, source: TensorSummary, scaling: PixelScaling | None
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from what the caller passes to what the file's input stores."""
    if takes_pixels(source):
        return partial(look_up, stored_pixels(path, source, scaling))
    scale, zero_point = source.scale, source.zero_point
    if scale is None or zero_point is None:
        return lambda values: values.astype(source.dtype)
    limits = np.iinfo(source.dtype)

    def store(values: np.ndarray) -> np.ndarray:
        stored = np.round(values / np.float32(scale)) + zero_point
        return np.clip(stored, limits.min, limits.max).astype(source.dtype)

    return store


def stored_pixels(
    path: Path, source: TensorSummary, scaling: PixelScaling | None = None
) -> np.ndarray:
    """Return what the file's input stores for each pixel value; `look_up` applies it to images.

    A table of 256 numbers is exact and fast; for kcnn's int8 files it holds `pixel - 128`.

    Args:
        path: the file, which errors name.
        source: its input.
        scaling: the numbers that the network wants for pixels. By default they are read from the
            range of the input: 0 to 255, 0 to 1 or -1 to 1; a float input takes raw pixels.

    Returns:
        An array [256], or [256, channels] if the channels are scaled differently.

    Raises:
        ValueError: the input's range is another one, and no `scaling` is given.
    """
    scaling = scaling or _scaling_of(path, source)
    if len(scaling.mean) > 1:
        scaling = scaling.for_channels(source.shape[-1])
    wanted = scaling(np.arange(256)[:, None])
    wanted = wanted[:, 0] if len(scaling.mean) == 1 else wanted
    if source.scale is None or source.zero_point is None:
        return wanted.astype(source.dtype)
    limits = np.iinfo(source.dtype)
    stored = np.round(wanted / source.scale) + source.zero_point
    return np.clip(stored, limits.min, limits.max).astype(source.dtype)


def look_up(table: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return what `stored_pixels` says for uint8 images [..., channels]."""
    return table[images] if table.ndim == 1 else table[images, np.arange(table.shape[1])]


def _scaling_of(path: Path, source: TensorSummary) -> PixelScaling:
    """Return the scaling that the range of a file's input shows."""
    if source.scale is None or source.zero_point is None:
        return NAMED["0..255"]
    limits = np.iinfo(source.dtype)
    low, high = (source.scale * (end - source.zero_point) for end in (limits.min, limits.max))
    symmetric = source.dtype == "int16"
    if (low > -2 or symmetric) and high >= 128:  # calibration images need not have the brightest
        return NAMED["0..255"]
    if -0.02 < low < 0.02 and 0.5 < high < 1.02:
        return NAMED["0..1"]
    if -1.02 < low < -0.5 and 0.5 < high < 1.02:
        return NAMED["-1..1"]
    raise ValueError(
        f"{path} takes values from {low:.3g} to {high:.3g}, not raw pixels 0-255, 0..1 or -1..1: "
        "say how the pixels of its training were scaled, input_range='mean,std'."
    )
