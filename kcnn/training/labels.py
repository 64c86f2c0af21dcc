"""Labels as the loss wants them: class numbers, or one share a class."""

from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    import tensorflow as tf

    from kcnn.data import Data


def labelled(
    data: "Data", label_smoothing: float = 0.0, epoch: "int | tf.Variable" = 0
) -> "tuple[tf.data.Dataset, tf.data.Dataset, keras.losses.Loss]":
    """Return training batches without end and validation images, with labels for the returned loss.

    Class numbers stay class numbers unless they are smoothed, or the training labels are soft
    (mixup, cutmix); then all are float32 [batch, classes]. Only training labels are smoothed, so
    that the validation loss is the plain cross-entropy and one training can be compared with
    another.

    Label smoothing: Szegedy et al., "Rethinking the Inception Architecture" (arXiv:1512.00567),
    section 7.

    Raises:
        ValueError: `label_smoothing` is not at least 0 and below 1.
    """
    import tensorflow as tf  # here, for a training on JAX passes by without

    check_smoothing(label_smoothing)
    batches = data.batches(epoch)
    soft = batches.element_spec[1].shape.rank == 2
    if not soft and not label_smoothing:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return batches, data.validation, loss
    classes = len(data.class_names)

    def smoothed(images: "tf.Tensor", labels: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
        shares = labels if soft else tf.one_hot(labels, classes)
        return images, shares * (1 - label_smoothing) + label_smoothing / classes

    def one_hot(images: "tf.Tensor", labels: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
        return images, tf.one_hot(labels, classes)

    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    return batches.map(smoothed), data.validation.map(one_hot), loss


def check_smoothing(label_smoothing: float) -> None:
    """Raise a ValueError unless it is a share that leaves something of the label."""
    if not 0 <= label_smoothing < 1:
        raise ValueError(
            f"label_smoothing must lie in [0, 1). Received: label_smoothing={label_smoothing}"
        )
