"""What the stored outputs of a bundle's model stand for: probabilities, and predicted classes."""

from dataclasses import dataclass

import numpy as np

from kcnn.answers import as_probabilities
from kcnn.litert import TensorSummary
from kcnn.litert.final_activation import final_activation

THRESHOLD = 0.5
"""The default probability from which a class is predicted that does not exclude others."""


@dataclass(frozen=True)
class Reading:
    """How an app reads the outputs of a model.

    A model predicts the most probable of its classes, or it has a threshold: with a single output
    it decides between two classes, of which that output is the second one; with a sigmoid for each
    of several classes it predicts every class that reaches the threshold.

    Attributes:
        scale: a real output is `scale * (stored - zero_point)`.
        zero_point: see `scale`.
        activation: what the app applies to the real outputs, "softmax" or "sigmoid"; None if they
            are probabilities already.
        threshold: the probability from which a class is predicted; None without one.

    >>> reading = Reading(0.5, -3, "sigmoid", 0.25)
    >>> reading.probabilities(np.array([[-6], [2]])).round(3)
    array([[0.953, 0.047],
           [0.269, 0.731]], dtype=float32)
    >>> reading.predicted(np.array([[-6], [2]]))
    array([0, 1])
    """

    scale: float
    zero_point: int
    activation: str | None
    threshold: float | None = None

    def probabilities(self, levels: np.ndarray) -> np.ndarray:
        """Return the probability of each class, float32 [N, classes].

        Args:
            levels: stored outputs [N, outputs] without their zero point.
        """
        real = np.float32(self.scale) * levels.astype(np.float32)
        if self.activation == "softmax":
            return as_probabilities(real, None)
        if self.activation == "sigmoid":
            real = 0.5 * (1 + np.tanh(real / 2))
        return as_probabilities(real, "sigmoid")

    def predicted(self, levels: np.ndarray) -> np.ndarray:
        """Return the predicted classes: integers [N], or booleans [N, classes] for several at once.

        Args:
            levels: stored outputs [N, outputs] without their zero point.
        """
        if self.threshold is None:
            return levels.argmax(axis=1)  # of probabilities two could be equal by rounding
        return decided(self.probabilities(levels), self.threshold, levels.shape[1])


def predicts_several(threshold: float | None, outputs: int) -> bool:
    """Return whether a model with so many outputs predicts several classes at once."""
    return threshold is not None and outputs > 1


def decided(probabilities: np.ndarray, threshold: float | None, outputs: int) -> np.ndarray:
    """Return what probabilities [N, classes] decide: integers [N], or booleans [N, classes].

    Args:
        probabilities: of both classes, for a model with a single output.
        threshold: the probability from which a class is predicted; None for the most probable.
        outputs: how many the model has.
    """
    if threshold is None:
        return probabilities.argmax(axis=1)
    reached = probabilities >= np.float32(threshold)
    return reached[:, 1].astype(int) if outputs == 1 else reached


def reading_of(output: TensorSummary, threshold: float | None) -> Reading:
    """Return how the integer output of a file that kcnn wrote is read.

    Raises:
        ValueError: the output is not of integers.
    """
    if output.scale is None or output.zero_point is None:
        raise ValueError(f"The model's output {output.name!r} has no scale and zero point.")
    activation = "sigmoid" if output.shape[1] == 1 else "softmax"
    if output.name == "probabilities":
        activation = None
    return Reading(output.scale, output.zero_point, activation, threshold)


def threshold_of(data: bytes, outputs: int, given: float | None) -> float | None:
    """Return the threshold of a file's model; None if it predicts the most probable class.

    Args:
        data: the bytes of the file.
        outputs: how many the model has.
        given: what the caller asked for; None for the default.

    Raises:
        ValueError: a threshold was given, and the model has no use for one.
    """
    if outputs > 1 and final_activation(data) != "sigmoid":
        if given is not None:
            raise ValueError(
                "A threshold is for a model with a single output, or with a sigmoid for each "
                "class. This one predicts the most probable class: leave the threshold out. "
                f"Received: {given}."
            )
        return None
    return THRESHOLD if given is None else float(given)


def check_threshold(given: float | None) -> None:
    """Raise ValueError unless a threshold lies between 0 and 1."""
    if given is not None and not 0 < given < 1:
        raise ValueError(f"A threshold is a probability between 0 and 1. Received: {given}.")
