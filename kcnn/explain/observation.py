"""What a model computes for one chunk of images: a feature map, the scores, their gradients."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import cast

import keras
import numpy as np
import tensorflow as tf

from kcnn.explain.heads import logits, static_shape
from kcnn.explain.trace import Call, hooked


@dataclass(frozen=True, eq=False)
class Site:
    """Where a model is observed.

    Attributes:
        model: the model.
        layer: the name of the layer whose output is observed.
        operation: that layer.
        head: the last operation with a kernel after it; None if there is none.
    """

    model: keras.Model
    layer: str
    operation: keras.Operation
    head: keras.Operation | None


def site(model: keras.Model, calls: Mapping[str, Call], layer: str) -> Site:
    """Return the site of `layer` in a model, from the recorded calls of its operations."""
    after = list(calls)[list(calls).index(layer) + 1 :]
    heads = [calls[name].operation for name in after if hasattr(calls[name].operation, "kernel")]
    return Site(model, layer, calls[layer].operation, heads[-1] if heads else None)


def batch_size(shape: tuple[int, ...]) -> int:
    """Return how many images of shape [N, H, W, C] to give a model at once, to bound its memory."""
    return max(1, min(64, 2**19 // prod(shape[1:-1])))


def parts(images: np.ndarray) -> list[slice]:
    """Return the chunks in which images [N, H, W, C] go through a model."""
    size = batch_size(images.shape)
    return [slice(start, start + size) for start in range(0, len(images), size)]


@dataclass(frozen=True, eq=False)
class Observation:
    """What a method of explanation can use.

    Where shapes have h, w and H, W, those of series and voxels have one or three axes.

    Attributes:
        site: where the model is observed.
        images: float32 [n, H, W, C].
        output: the layer's output [n, h, w, k], in the dtype in which the model computed it.
        logits: float32 [n, classes].
        class_index: the explained classes [n], or pairs of them [n, 2].
        target: float32 [n, classes], the weight of each logit in the explained score: 1 for the
            class, and -1 for the class that it is compared with.
        score: float32 [n], the sum of the logits with these weights.
        tape: the gradient tape, which has recorded everything after the layer.
    """

    site: Site
    images: tf.Tensor
    output: tf.Tensor
    logits: tf.Tensor
    class_index: tf.Tensor | np.ndarray
    target: tf.Tensor
    score: tf.Tensor
    tape: tf.GradientTape

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes of the feature map: (1, 2) for images."""
        return tuple(range(1, len(self.output.shape) - 1))

    @property
    def features(self) -> tf.Tensor:
        """The layer's output, float32 [n, h, w, k]."""
        return tf.cast(self.output, "float32")

    def gradients(self) -> tf.Tensor:
        """Return the gradient of each image's score by its features, float32 [n, h, w, k]."""
        # In inference, images do not influence each other: the gradient of the sum of their scores
        # is, for each image, the gradient of its own score.
        gradients = self.tape.gradient(self.score, self.output)
        if gradients is None:
            raise ValueError(
                f"Layer {self.site.layer!r} has no gradient: no differentiable path leads from it "
                "to the logits. Use method 'scorecam' or another layer."
            )
        return tf.cast(cast("tf.Tensor", gradients), "float32")


def observe(site: Site, images: np.ndarray, class_index: np.ndarray | None) -> Observation:
    """Run the model on a chunk of images [n, H, W, C].

    Args:
        site: where to observe it.
        images: as the model takes them.
        class_index: the classes [n] or pairs of them [n, 2] to explain; None for the predicted
            classes.
    """
    pixels, outputs = tf.convert_to_tensor(images, "float32"), []
    with tf.GradientTape(watch_accessed_variables=False) as tape:

        def watch(_: str, output: tf.Tensor) -> None:
            tape.watch(output)  # nothing before it, which saves memory and time
            outputs.append(output)

        with hooked({site.layer: site.operation}, watch):
            scores = logits(site.model, pixels)
        explained = tf.argmax(scores, axis=-1) if class_index is None else class_index
        target = target_of(explained, static_shape(scores)[-1])
        score = tf.reduce_sum(scores * target, axis=-1)
    return Observation(site, pixels, outputs[-1], scores, explained, target, score, tape)


def target_of(class_index: tf.Tensor | np.ndarray, num_classes: int) -> tf.Tensor:
    """Return the weight [n, classes] of each logit in the explained score: 1 for, -1 against."""
    chosen = tf.one_hot(class_index, num_classes)
    return chosen if chosen.shape.rank == 2 else chosen[:, 0] - chosen[:, 1]
