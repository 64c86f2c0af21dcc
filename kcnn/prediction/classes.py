"""The classes that a model, or a model's file, predicts for images."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from kcnn.answers import UNKNOWN, as_probabilities, decide_and_warn
from kcnn.checks import check_count
from kcnn.model_places import find_model
from kcnn.prediction.photographs import image_files, photograph_shape, read_photographs
from kcnn.prediction.result import Predictions
from kcnn.run_digests import check_unchanged
from kcnn.run_dir import RunDir

if TYPE_CHECKING:
    import keras

    from kcnn.litert import TFLiteClassifier

logger = logging.getLogger("kcnn")

_CHUNK = 2**19  # pixels that go through a Keras model at once, which bounds its memory


@dataclass(frozen=True)
class _Classifier:
    """A model of any kind.

    Attributes:
        name: for errors.
        image_shape: (height, width, channels), None where it takes any.
        probabilities: a function from uint8 images [N, H, W, C] to float32 [N, classes].
        class_names: empty where neither the model nor a file beside it names the classes.
    """

    name: str
    image_shape: tuple[int | None, ...]
    probabilities: Callable[[np.ndarray], np.ndarray]
    class_names: tuple[str, ...]


def predict(
    model: "keras.Model | TFLiteClassifier | str | os.PathLike",
    images: np.ndarray | str | os.PathLike | Sequence[str | os.PathLike],
    *,
    class_names: Sequence[str] | None = None,
    top: int = 5,
) -> Predictions:
    """Classify photographs, or arrays of raw pixels, with a model or an exported file.

    Use it to try a model on pictures of your own; to score one on a data set, use `kcnn.evaluate`.
    A photograph may have any size: it is turned upright, cropped to the proportions of the model's
    images, made as small as these, and gray for a model of one channel.

    Whether the model answers with logits or with probabilities is read from its graph, or where
    that does not tell, from its answers: the softmax is applied exactly once. A single output, such
    as one sigmoid unit, gives the probability of the second of two classes.

    Args:
        model: a Keras model, the path of a `.keras` or `.tflite` file, a `TFLiteClassifier`, or a
            run's folder, which stands for its `model.keras`, or for the best model so far of an
            unfinished run, or the name of a published model, such as "resnet20". It takes raw
            pixels 0-255.
        images: the path of an image file or of a folder of them; a sequence of paths; or uint8
            pixels [N, H, W, C] or [H, W, C] of the model's own size.
        class_names: one name a class. By default those in the `.tflite` file, else those of the
            run in whose folder the file lies (`labels.txt`, if it has a name for each class), else
            the classes' numbers.
        top: how many classes of an image are shown.

    Raises:
        ValueError: there is no such model or image, the two do not fit, or the number of names is
            not that of the classes.

    >>> import keras
    >>> model = keras.Sequential([
    ...     keras.Input((8, 8, 3)),
    ...     keras.layers.GlobalAveragePooling2D(),
    ...     keras.layers.Dense(3, kernel_initializer="identity"),  # red, green and blue
    ... ])
    >>> image = np.zeros((8, 8, 3), np.uint8)
    >>> image[..., 1] = 2
    >>> predictions = predict(model, image, class_names=["red", "green", "blue"], top=1)
    >>> predictions.probabilities.round(2)
    array([[0.11, 0.79, 0.11]], dtype=float32)
    >>> print(predictions)
    image 0
      green   78.70%
    """
    check_count("top", top)
    classifier = open_classifier(model)
    pixels, sources = _pixels(images, classifier)
    probabilities = classifier.probabilities(pixels)
    names = names_of(class_names, classifier.class_names, probabilities.shape[1])
    return Predictions(pixels, probabilities, names, sources, top)


def open_classifier(model: "keras.Model | TFLiteClassifier | str | os.PathLike") -> _Classifier:
    """Return a model of any kind, as `predict` takes it."""
    if isinstance(model, str | os.PathLike):
        file = find_model(model)
        if file != Path(model) and file == RunDir(Path(model)).best:
            logger.warning(
                "%s is not trained to its end: %s is its best model so far", model, file.name
            )
        check_unchanged(file, RunDir.of(file).labels)
        beside = RunDir.of(file).class_names()
        if file.suffix == ".tflite":
            from kcnn.litert import TFLiteClassifier

            return _litert(TFLiteClassifier(file), beside)
        from kcnn import models

        return _keras(models.load(file), beside)
    # By name: a machine may have only one of LiteRT and Keras.
    if type(model).__module__.startswith("kcnn.litert"):
        return _litert(cast("TFLiteClassifier", model), ())
    import keras

    if not isinstance(model, keras.Model):
        raise ValueError(
            "Expected a Keras model, the path of a .keras or .tflite file, a TFLiteClassifier, or "
            f"a run's folder. Received: {type(model).__name__}."
        )
    return _keras(model, ())


def _litert(classifier: "TFLiteClassifier", beside: tuple[str, ...]) -> _Classifier:
    def probabilities(pixels: np.ndarray) -> np.ndarray:
        answers = classifier(pixels)
        step = classifier.output_scale
        activation = decide_and_warn(classifier.final_activation, answers, step=step)
        return as_probabilities(answers, activation)

    _check_images(classifier.input_shape, "TFLiteClassifier")
    names = classifier.labels or beside
    return _Classifier(classifier.path.name, classifier.input_shape, probabilities, names)


def _check_images(shape: tuple[int | None, ...], instead: str) -> None:
    if len(shape) != 3:
        raise ValueError(
            "kcnn.predict is for images [N, height, width, channels]. Received: a model of "
            f"[N, {', '.join(map(str, shape))}], whose answers {instead} gives."
        )


def _keras(model: "keras.Model", beside: tuple[str, ...]) -> _Classifier:
    from kcnn.models.interface import image_shape

    _check_images(image_shape(model), "model.predict")
    return _Classifier(model.name, image_shape(model), _KerasAnswers(model), beside)


class _KerasAnswers:
    """The probabilities of images from a Keras model, which is left as it was.

    The range of the pixels is looked at once, and what the answers stand for is decided once.
    """

    def __init__(self, model: "keras.Model") -> None:
        from kcnn.models.final_activation import final_activation
        from kcnn.models.interface import check_single

        check_single(model, "A prediction")
        self._model, self._looked = model, False
        self._activation = final_activation(model)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Return the probabilities float32 [N, classes] of uint8 images [N, H, W, C]."""
        from kcnn.models.input_range import check_range

        if not self._looked:
            self._looked = True
            check_range(self._model, pixels)
        size = max(1, min(64, _CHUNK // (pixels.shape[1] * pixels.shape[2])))
        starts = range(0, len(pixels), size)
        answers = np.concatenate([self._answer(pixels[start : start + size]) for start in starts])
        self._activation = decide_and_warn(self._activation, answers)
        return as_probabilities(answers, self._activation)

    def _answer(self, pixels: np.ndarray) -> np.ndarray:
        """Return what the model answers to a few images, in its own dtype."""
        import keras

        from kcnn.models.interface import as_declared

        model = self._model
        images = keras.ops.convert_to_tensor(pixels, "float32")
        answers = model(as_declared(model, images), training=False)
        if len(getattr(answers, "shape", ())) != 2:
            raise ValueError(
                f"A prediction needs a model with one output [N, classes]. Received: {model.name!r}"
                f" with {getattr(answers, 'shape', type(answers).__name__)}"
            )
        # Of a model that does not show its graph, TensorFlow's softmax and sigmoid do.
        if self._activation == UNKNOWN and hasattr(answers, "_keras_logits"):
            self._activation = "sigmoid"  # whose numbers are taken as they are, like a softmax's
        return np.asarray(keras.ops.convert_to_numpy(answers))


def _pixels(images: Any, classifier: _Classifier) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return uint8 [N, H, W, C] as the model takes them, and where each image comes from."""
    if isinstance(images, str | os.PathLike):
        images = image_files(Path(images))
    paths = [] if isinstance(images, np.ndarray) else list(images)
    if paths and all(isinstance(path, str | os.PathLike) for path in paths):
        shape = photograph_shape(classifier.image_shape, classifier.name)
        return read_photographs(paths, shape), tuple(os.fspath(path) for path in paths)
    pixels = np.asarray(images)
    pixels = pixels[None] if pixels.ndim == 3 else pixels
    wanted = classifier.image_shape
    fits = pixels.ndim == 4 and all(
        own in (None, size) for own, size in zip(wanted, pixels.shape[1:], strict=True)
    )
    if not fits or pixels.dtype != np.uint8 or not len(pixels):
        raise ValueError(
            f"{classifier.name!r} takes uint8 images of raw pixels 0-255, shape [N, "
            f"{', '.join(map(str, wanted))}], or paths of image files of any size. Received: "
            f"{pixels.dtype}, shape {pixels.shape}."
        )
    return pixels, tuple(f"image {index}" for index in range(len(pixels)))


def names_of(
    given: Sequence[str] | None, found: tuple[str, ...], num_classes: int
) -> tuple[str, ...]:
    """Return the given names if there is one for each class, else those found, else numbers."""
    if given is None:
        return found if len(found) == num_classes else tuple(map(str, range(num_classes)))
    if isinstance(given, str) or len(given) != num_classes:
        count = f"the text {given!r}" if isinstance(given, str) else f"{len(given)} names"
        raise ValueError(
            f"class_names must be one name a class, {num_classes} here. Received: {count}."
        )
    return tuple(given)
