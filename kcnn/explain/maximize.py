"""Images that maximize the logit of a class, found by gradient ascent."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import keras
import numpy as np
import tensorflow as tf

from kcnn.checks import check_count, check_positive
from kcnn.explain.heads import logits, static_shape
from kcnn.explain.inputs import check_model
from kcnn.explain.observation import batch_size
from kcnn.explain.spectra import draw_shifts, images_of, shifted, start_spectra
from kcnn.models.interface import image_shape
from kcnn.pictures import Figure, png_of, save_figure
from kcnn.tensorflow_only import check_tensorflow

_COLUMNS = 5
_L2 = 30.0  # keeps colors pale where strong ones do not raise the logit


@dataclass(frozen=True, eq=False)
class Maximized:
    """Images that were changed until the logit of a class was high.

    Attributes:
        images: uint8 [N, H, W, C].
        class_index: int64 [N], the class of each image.
        before: float32 [N], the logit of the class for the noise at the start.
        after: float32 [N], the logit of the class for `images`, which are rounded to integers.

    >>> image = np.zeros((1, 8, 8, 3), "uint8")
    >>> found = Maximized(image, np.array([3]), np.array([0.1]), np.array([20.0]))
    >>> found.plot(["cat"]).axes[0].get_title().splitlines()
    ['cat', 'logit 0.1 → 20.0']
    """

    images: np.ndarray
    class_index: np.ndarray
    before: np.ndarray
    after: np.ndarray

    def plot(self, titles: Sequence[str] | None = None) -> Figure:
        """Draw the images in a grid, each with its class and the logit before and after.

        Args:
            titles: one per image, for example the names of the classes.

        Raises:
            ValueError: there are more or fewer titles than images.
        """
        titles = [f"class {index}" for index in self.class_index] if titles is None else titles
        if len(titles) != len(self.images):
            raise ValueError(f"Expected {len(self.images)} titles. Received: {len(titles)}")
        columns = min(len(self.images), _COLUMNS)
        rows = -(-len(self.images) // columns)
        height = 1.7 * self.images.shape[1] / self.images.shape[2] + 0.45  # inches, of a row
        figure = Figure(figsize=(1.8 * columns, height * rows), dpi=150, layout="constrained")
        cells = figure.subplots(rows, columns, squeeze=False).ravel()
        for cell in cells:
            cell.set_axis_off()
        images = np.broadcast_to(self.images, (*self.images.shape[:3], 3))
        logits = zip(self.before, self.after, strict=True)
        for cell, image, title, (low, high) in zip(cells, images, titles, logits, strict=False):
            cell.imshow(image, interpolation="bicubic")
            cell.set_title(f"{title}\nlogit {low:.1f} → {high:.1f}", fontsize=8, parse_math=False)
        return figure

    def save(self, path: str | os.PathLike, titles: Sequence[str] | None = None) -> None:
        """Write `plot(titles)` to a picture file; its suffix names the format."""
        save_figure(self.plot(titles), path)

    def _repr_png_(self) -> bytes:
        return png_of(self.plot())


def maximize(
    model: keras.Model,
    class_index: int | Sequence[int] | None = None,
    *,
    steps: int = 64,
    learning_rate: float = 0.05,
    variation: float = 30.0,
    size: tuple[int, int] | None = None,
    seed: int = 0,
) -> Maximized:
    """Make an image with a high logit for each class, by gradient ascent.

    Use it to see what drives the logit of a class (Erhan et al. 2009, "Visualizing Higher-Layer
    Features of a Deep Network"; Simonyan et al. 2013, https://arxiv.org/abs/1312.6034). The ascent
    starts from gray noise and raises the logit before any softmax. Three measures of Olah et al.
    2017, https://doi.org/10.23915/distill.00007, keep the result from being noise that nobody can
    see: the ascent changes the frequencies of the image, scaled as in photographs, and its colors
    vary as in photographs; every step shifts the image by up to an eighth of its size; penalties
    on the differences between neighbors (total variation) and on the distance from gray (L2)
    suppress whatever does not raise the logit.

    What such an image shows: colors, textures and parts that add to the logit, often several times
    over and anywhere in the image, and backgrounds that the model relies on. What it does not show:
    a typical image of the class, how confident the model is about real images (their logits are far
    lower), or that nothing else matters. The regularization shapes it as much as the model does,
    and another seed gives another image.

    Args:
        model: a built classifier of images of 0-255 with 1 or 3 channels and an output [N,
            classes]. It is not changed.
        class_index: one class or several; repeat a class for several images of it. By default all
            classes. The image of a class does not depend on the other classes.
        steps: of gradient ascent, at least 1. 64 steps show the main figures, more add detail.
        learning_rate: of Adam, above 0.
        variation: weight of the total variation: of the mean difference between neighbors, for
            pixels scaled to 0-1, against a logit of some tens. 0 gives crisp and colorful images,
            300 smooth and pale ones.
        size: (height, width) of the images, for a model that takes any size.
        seed: of the noise and of the shifts.

    Raises:
        ValueError: an argument does not fit the model or is out of its range, or no gradient
            reaches the image.

    >>> model = keras.Sequential([
    ...     keras.Input((8, 8, 3)),
    ...     keras.layers.Rescaling(1 / 255),
    ...     keras.layers.GlobalAveragePooling2D(),
    ...     keras.layers.Dense(3, kernel_initializer="identity"),  # red, green and blue
    ... ])
    >>> found = maximize(model, 0, steps=8)
    >>> found.images.shape, bool(found.after > found.before)
    ((1, 8, 8, 3), True)
    """
    check_tensorflow("Images are maximized")
    check_model(model)
    check_count("steps", steps)
    check_positive("learning_rate", learning_rate)
    if not variation >= 0:
        raise ValueError(f"variation must be at least 0. Received: variation={variation!r}")
    shape = _shape(model, size)
    classes = _classes(class_index, _count_classes(model, shape))
    noise, shifts = start_spectra(classes, shape, seed), draw_shifts(shape, steps, seed)
    chunk, parts = batch_size((1, *shape)), []
    for start in range(0, len(classes), chunk):
        part = slice(start, start + chunk)
        ascent = _Ascent(model, classes[part], shape[:2], variation)
        parts.append(ascent.run(noise[part], shifts, learning_rate))
    images, before, after = map(np.concatenate, zip(*parts, strict=True))
    return Maximized(images, classes, before, after)


@dataclass(frozen=True, eq=False)
class _Ascent:
    """Gradient ascent on the logits of classes [n], with one image for each.

    Attributes:
        model: the classifier.
        classes: int64 [n].
        size: (height, width) of the images.
        variation: weight of the total variation.
    """

    model: keras.Model
    classes: np.ndarray
    size: tuple[int, int]
    variation: float

    def run(
        self, noise: np.ndarray, shifts: np.ndarray, learning_rate: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the images uint8 [n, H, W, C] and the logits [n] before and after."""
        spectrum = tf.Variable(tf.convert_to_tensor(noise))
        optimizer = keras.optimizers.Adam(learning_rate)
        first = self.rounded(spectrum)
        for shift in shifts:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(spectrum)
                loss = self.loss(images_of(spectrum, self.size), shift)
            optimizer.apply_gradients([(tape.gradient(loss, spectrum), spectrum)])
        last = self.rounded(spectrum)
        return last, self.scores(first).numpy(), self.scores(last).numpy()

    def loss(self, images: tf.Tensor, shift: np.ndarray) -> tf.Tensor:
        """Return the loss to minimize: the sum over the images of the penalties minus the logit."""
        rough = tf.image.total_variation(images) / np.prod(static_shape(images)[1:])
        pale = tf.reduce_mean((images - 0.5) ** 2, axis=(1, 2, 3))
        scores = self.scores(shifted(255 * images, shift))
        # A sum, not a mean: the gradient of an image must not depend on the number of images.
        return tf.reduce_sum(self.variation * rough + _L2 * pale - scores)

    def scores(self, images: tf.Tensor | np.ndarray) -> tf.Tensor:
        """Return the logit of each image's own class, float32 [n]."""
        scores = logits(self.model, tf.cast(images, "float32"))
        return tf.gather(scores, self.classes, batch_dims=1)

    def rounded(self, spectrum: tf.Variable) -> np.ndarray:
        """Return the images rounded to uint8, as files hold them."""
        return np.rint(255 * images_of(spectrum, self.size)).astype("uint8")


def _shape(model: keras.Model, size: tuple[int, int] | None) -> tuple[int, int, int]:
    """Return (height, width, channels) of the images to make."""
    height, width, channels = image_shape(model)
    if size is None and None in (height, width):
        raise ValueError(
            f"Model {model.name!r} takes images of any size: say which, as size=(height, width)."
        )
    shape = (*cast("tuple[int, int]", size or (height, width)), channels or 3)
    fits = all(own in (None, given) for own, given in zip((height, width), shape, strict=False))
    if not fits or shape[2] not in (1, 3) or min(shape) < 1:
        raise ValueError(
            f"Expected images of {height} x {width} pixels with 1 or 3 channels. Received: {shape}"
        )
    return shape


def _count_classes(model: keras.Model, shape: tuple[int, int, int]) -> int:
    image = tf.fill((1, *shape), 127.5)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(image)
        scores = logits(model, image)
    if tape.gradient(scores, image) is None:
        raise ValueError(
            f"No gradient reaches the image of model {model.name!r} from its logits: the model "
            "takes integers, or one of its layers has no gradient."
        )
    return static_shape(scores)[1]


def _classes(class_index: int | Sequence[int] | None, num_classes: int) -> np.ndarray:
    classes = np.arange(num_classes) if class_index is None else np.atleast_1d(class_index)
    whole = classes.dtype.kind in "ui" and classes.ndim == 1 and len(classes)
    if not whole or classes.min() < 0 or classes.max() >= num_classes:
        raise ValueError(
            f"Expected class_index None or integers from 0 to {num_classes - 1}. Received: "
            f"{class_index!r}"
        )
    return classes.astype("int64")
