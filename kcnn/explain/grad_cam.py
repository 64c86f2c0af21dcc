"""Grad-CAM: the evidence for a class, drawn from the gradients of its logit."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from kcnn.explain.heatmaps import Heatmaps
from kcnn.explain.layers import feature_map

_CHUNK = 64  # bounds the memory that the gradients take, whatever the number of images


def grad_cam(
    model: keras.Model,
    images: np.ndarray,
    class_index: int | Sequence[int] | np.ndarray | None = None,
    layer: str | None = None,
) -> Heatmaps:
    """Explain what a model sees: where the evidence for a class lies in each image.

    Each channel of the feature map is weighted by the mean over space of the class logit's
    gradient; their sum is cut at zero (Selvaraju et al., https://arxiv.org/abs/1610.02391). With
    a global-average-pooling head this is exactly CAM (https://arxiv.org/abs/1512.04150).

    Use it to see whether a model looks at the object or at its background. It is a coarse map,
    not a proof: its resolution is the layer's, and it shows only evidence that speaks for the
    class. The model is left as it was; every image's map is independent of the others.

    Args:
        model: a classifier, Sequential (built) or functional, with one image input and one output
            of shape [N, classes]. Its logits are explained, also where it ends in a Keras softmax
            or sigmoid.
        images: [N, H, W, C] or [H, W, C], 0-255, uint8 or float, as the model takes them.
        class_index: the class to explain: one for all images, one per image, or None for the
            class that the model predicts.
        layer: the layer whose output is explained. Defaults to the last feature map before the
            head, usually the last ReLU; see `Heatmaps.layer` for its name.

    Raises:
        ValueError: an argument does not fit the model, or its scores are not finite.

    >>> model = keras.Sequential([
    ...     keras.Input((32, 32, 3)),
    ...     keras.layers.Conv2D(8, 3, activation="relu", name="conv"),
    ...     keras.layers.GlobalAveragePooling2D(),
    ...     keras.layers.Dense(10),
    ... ])
    >>> heatmaps = grad_cam(model, np.zeros((2, 32, 32, 3), "uint8"), class_index=3)
    >>> heatmaps.layer, heatmaps.raw.shape, heatmaps.class_index
    ('conv', (2, 30, 30), array([3, 3]))
    """
    _check_model(model)
    images = _batch(images, model.inputs[0].shape)
    class_index = _class_indices(class_index, len(images), model.outputs[0].shape[-1])
    name, features = feature_map(model, layer)
    extractor = keras.Model(model.inputs[0], [features, model.outputs[0]], name="grad_cam")
    parts = []
    for start in range(0, len(images), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        wanted = None if class_index is None else class_index[chunk]
        parts.append(_explain(extractor, images[chunk], wanted))
    raw, chosen, score = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Heatmaps(raw=raw, class_index=chosen, score=score, layer=name)


def _explain(
    extractor: keras.Model, images: np.ndarray, class_index: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return maps [N, h, w], classes [N] and logits [N] of one chunk of images."""
    images = tf.convert_to_tensor(images, "float32")
    with tf.GradientTape() as tape:
        tape.watch(images)  # it records by itself only what comes after the first weights
        features, outputs = extractor(images, training=False)
        logits = _logits(outputs)
        if class_index is None:
            class_index = tf.argmax(logits, axis=-1).numpy()
        score = tf.gather(logits, class_index, batch_dims=1)
    # Inference mode keeps images apart, so the gradient of the scores' sum is each score's own.
    gradients = tape.gradient(score, features)
    if gradients is None:
        raise ValueError("The layer has no gradient: no differentiable path leads to the logits.")
    features, gradients = tf.cast(features, "float32"), tf.cast(gradients, "float32")
    weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
    raw = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1))
    return raw.numpy(), class_index, score.numpy()


def _logits(outputs: tf.Tensor) -> tf.Tensor:
    """Return the scores before a softmax or sigmoid: squashed ones have misleading gradients."""
    # Keras hangs the argument of every softmax and sigmoid on its result, for its own losses.
    logits = tf.cast(getattr(outputs, "_keras_logits", outputs), "float32")
    values = logits.numpy()
    if not np.isfinite(values).all():
        raise ValueError("The model's scores are not finite: its weights or the images hold NaNs.")
    probabilities = np.exp(values) if (values <= 0).all() else values
    sums = probabilities.sum(axis=-1)
    if values.shape[-1] > 1 and (probabilities >= 0).all() and np.allclose(sums, 1, 0, 1e-5):
        raise ValueError(
            "Grad-CAM needs logits. Received: a model that ends in probabilities, or their "
            "logarithms, from something other than a Keras softmax. Let it end in logits."
        )
    return logits


def _check_model(model: keras.Model) -> None:
    inputs = getattr(model, "inputs", None) if isinstance(model, keras.Model) else None
    if not inputs:
        raise ValueError(
            "Grad-CAM needs a Keras 3 model whose graph is known: functional, or Sequential with "
            f"an Input layer. Received: {model!r}"
        )
    shapes = [tensor.shape for tensor in (*inputs, *model.outputs)]
    if len(inputs) != 1 or len(model.outputs) != 1 or [len(s) for s in shapes] != [4, 2]:
        raise ValueError(
            "Grad-CAM needs one image input [N, H, W, C] and one output [N, classes]. "
            f"Received: {model.name!r} with {shapes}"
        )


def _batch(images: np.ndarray, expected: tuple[int | None, ...]) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[None]
    shape, wanted = images.shape[1:], expected[1:]
    fits = images.ndim == 4 and all(w in (None, s) for s, w in zip(shape, wanted, strict=True))
    if not fits or images.dtype.kind not in "uif" or not len(images):
        raise ValueError(
            f"Expected images of shape [N, {', '.join(str(size) for size in wanted)}], 0-255. "
            f"Received: shape {images.shape}, {images.dtype}."
        )
    return images


def _class_indices(
    class_index: int | Sequence[int] | np.ndarray | None, count: int, num_classes: int
) -> np.ndarray | None:
    if class_index is None:
        return None
    received = np.asarray(class_index)
    if (
        received.dtype.kind not in "ui"
        or received.shape not in ((), (count,))
        or not ((0 <= received) & (received < num_classes)).all()
    ):
        raise ValueError(
            f"Expected class_index None, an integer from 0 to {num_classes - 1}, or {count} of "
            f"them, one per image. Received: {class_index!r}"
        )
    return np.broadcast_to(received, count).astype("int64")
