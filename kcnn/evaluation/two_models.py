"""How much two models, or a model and its exported file, answer alike."""

from dataclasses import dataclass

import numpy as np

from kcnn.answers import as_probabilities
from kcnn.evaluation.scoring import Batches, Classifier, answers, predictor
from kcnn.notebook import html_facts


@dataclass(frozen=True)
class Agreement:
    """How alike two models answer the same images.

    Attributes:
        share: the share of images for which both predict the same class, 0-1.
        count: the number of images.
        first_accuracy: the accuracy of the first model on these images, 0-1.
        second_accuracy: the accuracy of the second model on these images, 0-1.
        mean_difference: the mean absolute difference of their logits, over images and classes; of
            their probabilities, if one of the two answers with these.
        largest_difference: the largest absolute difference of the same.
    """

    share: float
    count: int
    first_accuracy: float
    second_accuracy: float
    mean_difference: float
    largest_difference: float

    def _repr_html_(self) -> str:
        return html_facts("the same class", {**vars(self), "share": f"{self.share:.2%}"})


def agreement(
    first: Classifier, second: Classifier, data: Batches, *, expected_count: int | None = None
) -> Agreement:
    """Compare what two models answer for the same images.

    Use it after pruning, quantization or export: two models of equal accuracy can disagree on many
    images. Measure it on validation images, which were used neither to train nor to calibrate, and
    keep the test set for the one score at the end.

    Args:
        first: a Keras model, the path of a `.keras` or `.tflite` file, or a function from uint8
            images [B, H, W, C] to logits or probabilities [B, classes].
        second: another one, of any of these kinds.
        data: batches of (uint8 images, integer labels), such as `data.validation`.
        expected_count: the number of images there must be, such as `data.num_test`.

    Raises:
        ValueError: a file is no model, the images do not fit it, or the two do not predict the
            same number of classes.
        RuntimeError: there were no images, or not `expected_count` of them.

    >>> import kcnn
    >>> data = kcnn.data.load("digits")
    >>> def first_pixels(images):
    ...     return images.reshape(len(images), -1)[:, :10].astype(np.float32)
    >>> alike = agreement(first_pixels, lambda images: first_pixels(images) + 1, data.validation)
    >>> alike.share, alike.mean_difference, alike.first_accuracy == alike.second_accuracy
    (1.0, 1.0, True)
    """
    predictors = predictor(first), predictor(second)
    logits, labels = answers(predictors, data, expected_count)
    classes = [each.shape[1] for each in logits]
    if classes[0] != classes[1]:
        raise ValueError(
            "An agreement is between models of the same classes. Received: models of "
            f"{classes[0]} and {classes[1]} classes."
        )
    predicted = [each.argmax(axis=1) for each in logits]
    both_logits = all(each.activation is None for each in predictors)
    values = logits if both_logits else [as_probabilities(each, None) for each in logits]
    difference = np.abs(values[0] - values[1])
    return Agreement(
        share=float((predicted[0] == predicted[1]).mean()),
        count=len(labels),
        first_accuracy=float((predicted[0] == labels).mean()),
        second_accuracy=float((predicted[1] == labels).mean()),
        mean_difference=float(difference.mean()),
        largest_difference=float(difference.max()),
    )
