"""Run a `.tflite` image classifier in Python as a phone does: LiteRT, one thread, raw pixels."""

import os
import statistics
import time
from pathlib import Path

import numpy as np

from kcnn.litert.native_log import native_log
from kcnn.litert.tflite_file import (
    TensorSummary,
    TFLiteSummary,
    damaged,
    open_interpreter,
    read_tflite,
    summarize_bytes,
)

_WARM_UPS = 3


class TFLiteClassifier:
    """An image classifier from a `.tflite` file: uint8 images in, float32 logits out.

    Use it to measure the very file that goes on the phone: it is a `predict_fn` for
    `kcnn.evaluate`. It needs LiteRT only, not TensorFlow.

    Attributes:
        path: the file.
        labels: the class names in the file, empty if it has none.
        input_shape: `(height, width, channels)` of an image.
        input_dtype: what the file itself takes: `"int8"`, `"uint8"` or `"float32"`.
        num_classes: the length of an answer.
        quantization: `"int8"`, `"none"` or `"mixed"`, see `TFLiteSummary`.

    Raises:
        ValueError: there is no such file, it is damaged, or it is no classifier of raw images.

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

    def __init__(self, path: str | os.PathLike) -> None:
        """Read, verify and load the file at `path`."""
        self.path = Path(path)
        data = read_tflite(self.path)
        summary = summarize_bytes(data, self.path)
        source, target = _check_classifier(summary)
        self.labels = summary.labels
        self.input_shape = source.shape[1:]
        self.input_dtype = source.dtype
        self.num_classes = target.shape[1]
        self.quantization = summary.quantization
        self._interpreter = open_interpreter(data, self.path)
        try:
            with native_log():
                self._interpreter.allocate_tensors()
        except RuntimeError as error:
            raise damaged(self.path, error) from error
        self._input_index = self._interpreter.get_input_details()[0]["index"]
        self._output_index = self._interpreter.get_output_details()[0]["index"]
        self._stored_pixels = _stored_pixels(self.path, source)
        self._scale = 1.0 if target.scale is None else target.scale
        self._zero_point = target.zero_point or 0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Classify uint8 images `(batch, height, width, channels)` of raw pixels 0-255.

        Returns:
            Float32 logits `(batch, classes)`; probabilities if the file ends in a softmax.

        Raises:
            ValueError: other images than the file takes.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != self.input_shape:
            raise ValueError(
                f"{self.path.name} takes uint8 images of raw pixels 0-255, shape (batch, "
                f"{', '.join(map(str, self.input_shape))}). Received: {images.dtype}, "
                f"shape {images.shape}."
            )
        stored = np.empty((len(images), self.num_classes), np.float32)
        for row, image in zip(stored, images, strict=True):
            self._interpreter.set_tensor(self._input_index, self._stored_pixels[image][None])
            self._interpreter.invoke()
            row[:] = self._interpreter.get_tensor(self._output_index)[0]
        return (stored - self._zero_point) * np.float32(self._scale)

    def milliseconds_per_image(self, images: np.ndarray | None = None, repeats: int = 10) -> float:
        """Return the median time of one image on one thread, in milliseconds.

        Each image is classified on its own, from uint8 pixels to logits, `repeats` times.

        Args:
            images: as for a call; ten of noise by default, the time hardly depends on them.
            repeats: how often each of them is classified.

        Raises:
            ValueError: no images, other images than the file takes, or `repeats` below 1.
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


def _check_classifier(summary: TFLiteSummary) -> tuple[TensorSummary, TensorSummary]:
    """Return the one input and the one output of a classifier of images of raw pixels."""
    inputs, outputs = summary.inputs, summary.outputs
    shapes = [tensor.shape for tensor in inputs], [tensor.shape for tensor in outputs]
    if [[len(shape) for shape in side] for side in shapes] != [[4], [2]] or inputs[0].shape[0] != 1:
        raise ValueError(
            f"{summary.path} is no image classifier: it must take one image [1, height, width, "
            f"channels] and give [1, classes]. Received: {shapes[0]} and {shapes[1]}."
        )
    source, target = inputs[0], outputs[0]
    if len(summary.labels) not in (0, target.shape[1]):
        raise ValueError(
            f"{summary.path} names {len(summary.labels)} classes, but tells {target.shape[1]}."
        )
    for tensor in (source, target):
        known = ("float32",) if tensor.scale is None else ("int8", "uint8")
        if tensor.dtype not in known:
            raise ValueError(f"{summary.path}: cannot feed or read {tensor.dtype} {tensor.name}.")
    return source, target


def _stored_pixels(path: Path, source: TensorSummary) -> np.ndarray:
    """Return what the file's input stores for each pixel value 0-255.

    A table is exact and fast; for kcnn's int8 files it is `pixel - 128`.
    """
    pixels = np.arange(256)
    if source.scale is None:
        return pixels.astype(source.dtype)
    limits = np.iinfo(source.dtype)
    brightest = source.scale * (limits.max - source.zero_point)
    if brightest < 128:
        raise ValueError(
            f"{path} takes values up to {brightest:.3g}, not raw pixels 0-255: it was calibrated "
            "on scaled images."
        )
    stored = np.round(pixels / source.scale) + source.zero_point
    return np.clip(stored, limits.min, limits.max).astype(source.dtype)
