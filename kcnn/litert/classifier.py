"""Run a `.tflite` image classifier in Python as a phone does: LiteRT, one thread, raw pixels."""

import os
import statistics
import threading
import time
from pathlib import Path

import numpy as np

from kcnn.litert.feature_map import NAME, add_feature_map, read_class_weights
from kcnn.litert.final_activation import final_activation
from kcnn.litert.native_log import native_log
from kcnn.litert.structure import damaged
from kcnn.litert.tflite_file import (
    TensorSummary,
    TFLiteSummary,
    open_interpreter,
    read_tflite,
    summarize_bytes,
)

_WARM_UPS = 3


class TFLiteClassifier:
    """An image classifier from a `.tflite` file: uint8 images in, float32 logits out.

    Use it to measure the file that goes on the phone: `kcnn.evaluate` takes it as `predict_fn`. It
    needs LiteRT only, not TensorFlow. Threads that share one classifier take turns, image by image;
    with a classifier of its own each, they run at the same time.

    Attributes:
        path: the file.
        labels: the class names in the file, empty if it has none.
        input_shape: `(height, width, channels)` of an image.
        input_dtype: of the file's own input: `"int8"`, `"uint8"` or `"float32"`.
        output_dtype: of the file's own output: `"int8"`, `"uint8"` or `"float32"`.
        final_activation: `"softmax"`, `"log_softmax"` or `"sigmoid"` if the file ends in one of
            them; None if it returns logits.
        num_classes: how many classes the file predicts.
        quantization: `"int8"`, `"none"` or `"mixed"`, see `TFLiteSummary`.
        feature_map_shape: `(height, width, channels)` of the second output, None without one.
        class_weights: float32 `(channels, classes)`: a logit is a bias plus the mean of
            `feature_map @ class_weights` over the map; None without a second output.

    Args:
        path: the file.
        feature_map: read the last feature map too, also from a file without that output, as if
            it had been exported with `feature_map=True`. The logits are the same.

    Raises:
        ValueError: the file does not exist, is damaged or is no classifier of raw images, or
            `feature_map` is set and the model does not end in global average pooling.

    >>> import keras, numpy as np, tempfile
    >>> from kcnn.export import export_tflite
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(),
    ...                           keras.layers.Dense(2, name="logits")])
    >>> path = tempfile.mkdtemp() + "/model.tflite"
    >>> _ = export_tflite(model, path, quantization="none", labels=["cat", "dog"])
    >>> classifier = TFLiteClassifier(path)
    >>> classifier.labels, classifier.input_shape, classifier.quantization
    (('cat', 'dog'), (8, 8, 1), 'none')
    >>> classifier(np.zeros((5, 8, 8, 1), np.uint8)).shape
    (5, 2)
    """

    def __init__(self, path: str | os.PathLike, *, feature_map: bool = False) -> None:
        """Read, verify and load the file at `path`."""
        self.path = Path(path)
        data = read_tflite(self.path)
        summary = summarize_bytes(data, self.path)
        check_classifier(summary)
        if feature_map:
            data = add_feature_map(data, self.path)
            summary = summarize_bytes(data, self.path)
        source, target = summary.inputs[0], summary.outputs[0]
        self.labels = summary.labels
        self.input_shape = source.shape[1:]
        self.input_dtype = source.dtype
        self.output_dtype = target.dtype
        self.final_activation = final_activation(data)
        self.num_classes = target.shape[1]
        self.quantization = summary.quantization
        self._interpreter = open_interpreter(data, self.path)
        self._turn = threading.Lock()  # an interpreter holds the tensors of one image
        try:
            with native_log():
                self._interpreter.allocate_tensors()
        except RuntimeError as error:
            raise damaged(self.path, error) from error
        self._input_index = self._interpreter.get_input_details()[0]["index"]
        indices = [each["index"] for each in self._interpreter.get_output_details()]
        self._outputs = [*zip(indices, summary.outputs, strict=True)]
        self._stored_pixels = stored_pixels(self.path, source)
        self.feature_map_shape, self.class_weights = _feature_map(data, summary)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Classify uint8 images `(batch, height, width, channels)` of raw pixels 0-255.

        Returns:
            Float32 logits `(batch, classes)`; probabilities if the file ends in a softmax.

        Raises:
            ValueError: other images than the file takes.
        """
        return self._run(images, self._outputs[:1])[0]

    def with_feature_maps(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the logits of images and the feature maps that they are computed from.

        Returns:
            Float32 logits `(batch, classes)`, and float32 maps `(batch, height, width, channels)`.

        Raises:
            ValueError: the file has no such output, or other images than the file takes.
        """
        if self.feature_map_shape is None:
            raise ValueError(
                f"{self.path.name} has no feature map among its outputs: load it, or export the "
                "model, with feature_map=True."
            )
        logits, features = self._run(images, self._outputs)
        return logits, features

    def _run(
        self, images: np.ndarray, outputs: list[tuple[int, TensorSummary]]
    ) -> list[np.ndarray]:
        """Return the real numbers of each output for all images."""
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != self.input_shape:
            raise ValueError(
                f"{self.path.name} takes uint8 images of raw pixels 0-255, shape (batch, "
                f"{', '.join(map(str, self.input_shape))}). Received: {images.dtype}, "
                f"shape {images.shape}."
            )
        results = [np.empty((len(images), *each.shape[1:]), np.float32) for _, each in outputs]
        for place, image in enumerate(images):
            stored = self._stored_pixels[image][None]
            with self._turn:
                self._interpreter.set_tensor(self._input_index, stored)
                self._interpreter.invoke()
                for result, (index, _) in zip(results, outputs, strict=True):
                    result[place] = self._interpreter.get_tensor(index)[0]
        return [
            result
            if tensor.scale is None or tensor.zero_point is None
            else (result - tensor.zero_point) * np.float32(tensor.scale)
            for result, (_, tensor) in zip(results, outputs, strict=True)
        ]

    def milliseconds_per_image(self, images: np.ndarray | None = None, repeats: int = 10) -> float:
        """Return the median time of one image on one thread, in milliseconds.

        Each image is classified on its own, from uint8 pixels to logits, `repeats` times.

        Args:
            images: as for a call; ten images of noise by default, as the time hardly depends on
                the pixels.
            repeats: how often each of them is classified.

        Raises:
            ValueError: there are no images, the file takes other images, or `repeats` is below 1.
        """
        if images is None:
            noise = np.random.default_rng(0)
            images = noise.integers(0, 256, (10, *self.input_shape), np.uint8)
        if not len(images) or repeats < 1:
            raise ValueError(
                "Timing needs at least one image and one repeat. "
                f"Received: {len(images)} images, repeats={repeats}."
            )
        for _ in range(_WARM_UPS):
            self(images[:1])
        times = []
        for index in [*range(len(images))] * repeats:
            started = time.perf_counter()
            self(images[index : index + 1])
            times.append(time.perf_counter() - started)
        return 1000 * statistics.median(times)


def check_classifier(summary: TFLiteSummary) -> None:
    """Check that a file takes images of raw pixels and returns logits, and perhaps a feature map.

    Raises:
        ValueError: the file is something else.
    """
    inputs, outputs = summary.inputs, summary.outputs
    shapes = [tensor.shape for tensor in inputs], [tensor.shape for tensor in outputs]
    ranks = [[len(shape) for shape in side] for side in shapes]
    seen = [tensor.name for tensor in outputs[1:]]
    if (
        ranks not in ([[4], [2]], [[4], [2, 4]])
        or seen not in ([], [NAME])
        or inputs[0].shape[0] != 1
    ):
        raise ValueError(
            f"{summary.path} is no image classifier: it must take one image [1, height, width, "
            f"channels] and return [1, classes]. Received: {shapes[0]} and {shapes[1]}."
        )
    target = outputs[0]
    if len(summary.labels) not in (0, target.shape[1]):
        raise ValueError(
            f"{summary.path} names {len(summary.labels)} classes, but predicts {target.shape[1]}."
        )
    for tensor in (*inputs, *outputs):
        known = ("float32",) if tensor.scale is None else ("int8", "uint8")
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


def stored_pixels(path: Path, source: TensorSummary) -> np.ndarray:
    """Return what the file's input stores for each pixel value: `stored_pixels(...)[image]`.

    A table of 256 numbers is exact and fast; for kcnn's int8 files it holds `pixel - 128`.

    Raises:
        ValueError: the input cannot store pixels up to 255.
    """
    pixels = np.arange(256)
    if source.scale is None or source.zero_point is None:
        return pixels.astype(source.dtype)
    limits = np.iinfo(source.dtype)
    brightest = source.scale * (limits.max - source.zero_point)
    if not brightest >= 128:  # as for NaN
        raise ValueError(
            f"{path} takes values up to {brightest:.3g}, not raw pixels 0-255: it was calibrated "
            "on scaled images."
        )
    stored = np.round(pixels / source.scale) + source.zero_point
    return np.clip(stored, limits.min, limits.max).astype(source.dtype)
