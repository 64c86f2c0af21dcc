"""Run a `.tflite` image classifier in Python as a phone does: LiteRT, one thread, raw pixels."""

import os
import statistics
import time
from pathlib import Path

import numpy as np

from kcnn.litert.final_activation import final_activation
from kcnn.litert.loaded import LoadedModel, takes_pixels
from kcnn.litert.tflite_file import read_tflite
from kcnn.litert.trial import try_model
from kcnn.pixel_scaling import InputRange, read_scaling

_WARM_UPS = 3


class TFLiteClassifier:
    """An image classifier from a `.tflite` file: uint8 images in, float32 logits out.

    A file of a model of series or voxels takes real numbers, which become what its input stores.

    Use it to measure the file that goes on the phone: `kcnn.evaluate` takes it as `predict_fn`. It
    needs LiteRT only, not TensorFlow. Threads that share one classifier take turns, image by image;
    with a classifier of its own each, they run at the same time.

    Some damaged files crash LiteRT. A file that this process has neither written nor opened before
    is therefore opened and run in a child process first, which takes a fraction of a second.

    Attributes:
        path: the file.
        labels: the class names in the file, empty if it has none.
        input_shape: `(height, width, channels)` of an image; `(steps, channels)` of a series.
        input_dtype: of the file's own input: `"int8"`, `"uint8"`, `"int16"` or `"float32"`.
        output_dtype: of the file's own output: as `input_dtype`.
        output_scale: the distance between two neighboring outputs; 0 for float32.
        final_activation: `"softmax"`, `"log_softmax"` or `"sigmoid"` if the file ends in one of
            them; None if it returns logits; `"unknown"` if its last operator does not tell.
        num_classes: how many classes the file predicts.
        quantization: `"int8"`, `"int4"`, `"none"`, ..., see `TFLiteSummary`.
        feature_map_shape: `(height, width, channels)` of the second output, None without one.
        class_weights: float32 `(channels, classes)`: a logit is a bias plus the mean of
            `feature_map @ class_weights` over the map; None without a second output.

    Args:
        path: the file.
        feature_map: read the last feature map too, also from a file without that output, as if
            it had been exported with `feature_map=True`. The logits are the same.
        input_range: the numbers that the file wants for pixels, if it does not take raw ones:
            "0..1", "-1..1" or "mean,std", see `kcnn.pixel_scaling.read_scaling`. An integer file
            whose input has one of these ranges tells it itself.

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

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        feature_map: bool = False,
        input_range: InputRange | None = None,
    ) -> None:
        """Read, verify and load the file at `path`."""
        self.path = Path(path)
        scaling = None if input_range is None else read_scaling(input_range)
        data = read_tflite(self.path)
        try_model(data, self.path, "map" if feature_map else "run")
        self._model = model = LoadedModel(data, self.path, feature_map=feature_map, scaling=scaling)
        source, target = model.summary.inputs[0], model.summary.outputs[0]
        self.labels = model.summary.labels
        self.input_shape = source.shape[1:]
        self.input_dtype = source.dtype
        self.output_dtype = target.dtype
        self.output_scale = target.scale or 0.0
        self.final_activation = final_activation(model.data)
        self.num_classes = target.shape[1]
        self.quantization = model.summary.quantization
        self.feature_map_shape = model.feature_map_shape
        self.class_weights = model.class_weights

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Classify uint8 images `(batch, height, width, channels)` of raw pixels 0-255.

        For series and voxels, classify numbers of the range that the model was trained on.

        Returns:
            Float32 logits `(batch, classes)`; probabilities if the file ends in a softmax.

        Raises:
            ValueError: other images than the file takes.
        """
        return self._model.run(images)[0]

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
        logits, features = self._model.run(images, outputs=2)
        return logits, features

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
            images = images if takes_pixels(self._model.summary.inputs[0]) else images / 255
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
