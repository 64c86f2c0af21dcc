"""What a classifier's answers stand for: logits or probabilities, decided once for every use.

A graph says it (`kcnn.models.final_activation`, `kcnn.litert.final_activation`); where it does not,
the numbers do. Everything that reads answers, from training to heat maps, goes through here.
"""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

logger = logging.getLogger("kcnn")

UNKNOWN = "unknown"
"""The final activation of a model whose graph does not tell it."""

ROUNDING = 1e-5
"""By how much the sum of float32 probabilities may miss 1."""

_SMALLEST = float(np.finfo(np.float32).tiny)
_CLOSEST_TO_ONE = 2.0**-25  # half of what float32 can tell from 1


def decide(activation: str | None, answers: np.ndarray, *, step: float = 0.0) -> str | None:
    """Return the final activation of a model, by the numbers where its graph does not tell.

    Answers that are not negative and add up to 1 in every row are probabilities, and those whose
    exponentials do so are their logarithms. A single answer within 0 and 1 is a sigmoid's.

    Args:
        activation: what the graph says: "softmax", "log_softmax", "sigmoid", "log_sigmoid", None
            for logits, or `UNKNOWN`.
        answers: [N, classes] of the model, in the dtype in which it gives them.
        step: the distance between two neighboring answers of an integer file, 0 for floats.

    >>> decide(UNKNOWN, np.array([[0.25, 0.75]])), decide(UNKNOWN, np.array([[0.25, 0.8]]))
    ('softmax', None)
    """
    if activation != UNKNOWN:
        return activation
    half = answers.dtype.itemsize == 2  # float16 and bfloat16
    rounding = max(1e-2 if half else ROUNDING, answers.shape[-1] * step / 2)
    answers = np.asarray(answers, np.float64)
    if answers.shape[-1] == 1:
        return "sigmoid" if ((answers >= 0) & (answers <= 1)).all() else None
    if are_probabilities(answers, rounding=rounding):
        return "log_softmax" if (answers <= 0).all() else "softmax"
    return None


def decide_and_warn(
    activation: str | None, answers: np.ndarray, *, step: float = 0.0
) -> str | None:
    """Return what `decide` returns, and warn where neither graph nor numbers tell it."""
    found = decide(activation, answers, step=step)
    if activation == UNKNOWN and found is None and may_be_either(answers):
        logger.warning(
            "The answers of the model to these images lie between 0 and 1, and its graph does not "
            "tell whether they are probabilities: they are read as logits. If each is the "
            'probability of its class, let keras.layers.Activation("sigmoid") compute it, in place '
            "of the last layer. If they are logits, a last keras.layers.Dense(%d, use_bias=False, "
            'kernel_initializer="identity") says so.',
            answers.shape[-1],
        )
    return found


def may_be_either(answers: np.ndarray) -> bool:
    """Tell whether answers lie between 0 and 1, as probabilities do and logits may.

    Use it where `decide` takes them for logits: they may be the probabilities of classes that do
    not exclude each other.
    """
    return bool(((answers >= 0) & (answers <= 1)).all())


def are_probabilities(scores: np.ndarray, *, rounding: float = ROUNDING) -> bool:
    """Tell whether scores [N, classes] of two classes or more look like probabilities.

    They do if each row adds up to 1 and nothing is negative, or if their exponentials do so: then
    they are logarithms of probabilities. Use it where a model does not show what it ends in.

    Args:
        scores: of one image or more.
        rounding: by how much a sum may differ from 1.

    >>> are_probabilities(np.array([[0.25, 0.75]])), are_probabilities(np.array([[0.25, 0.8]]))
    (True, False)
    """
    candidates = np.exp(scores) if (scores <= 0).all() else scores
    whole = np.allclose(candidates.sum(axis=-1), 1, rtol=0, atol=rounding)
    return bool(scores.shape[-1] > 1 and (candidates >= 0).all() and whole)


def as_logits(
    answers: np.ndarray, activation: str | None, *, smallest: float = _SMALLEST
) -> np.ndarray:
    """Return the logits float64 [N, classes] that a model's answers stand for.

    Their softmax is what `as_probabilities` returns, but for the sigmoids of several classes, which
    do not exclude each other. A single answer stands for two classes, with the logits -z/2 and z/2
    of the sigmoid's argument z.

    Args:
        answers: [N, classes].
        activation: what `decide` returned.
        smallest: stands for a probability of 0, whose logarithm is infinite.

    Raises:
        ValueError: a softmax over a single answer.

    >>> as_logits(np.array([[0.25, 0.75]]), "softmax").round(3)
    array([[-1.386, -0.288]])
    >>> as_logits(np.array([[3.0]]), None)
    array([[-1.5,  1.5]])
    """
    answers = np.asarray(answers, np.float64)
    _check_softmax(answers, activation)
    if activation == "softmax":
        return np.log(np.maximum(answers, smallest))
    if activation == "sigmoid":
        others = np.maximum(1 - answers, max(smallest, _CLOSEST_TO_ONE))
        answers = np.log(np.maximum(answers, smallest)) - np.log(others)
    elif activation == "log_sigmoid":
        others = np.maximum(-np.expm1(answers), max(smallest, _CLOSEST_TO_ONE))
        answers = answers - np.log(others)
    return np.concatenate([-answers / 2, answers / 2], axis=1) if answers.shape[1] == 1 else answers


def as_probabilities(answers: np.ndarray, activation: str | None) -> np.ndarray:
    """Return the probabilities float32 [N, classes] that a model's answers stand for.

    A single answer stands for two classes, of which it is the second one.

    Args:
        answers: [N, classes].
        activation: what `decide` returned.

    Raises:
        ValueError: the answers are not finite, or a softmax over a single answer.

    >>> as_probabilities(np.array([[np.log(3.0), 0.0]]), None)
    array([[0.75, 0.25]], dtype=float32)
    >>> as_probabilities(np.array([[0.75]]), "sigmoid")
    array([[0.25, 0.75]], dtype=float32)
    """
    answers = np.asarray(answers, np.float64)
    _check_softmax(answers, activation)
    if np.isnan(answers).any() or (activation is None and np.isinf(answers).any()):
        raise ValueError("The model's scores are not finite: its weights or the images hold NaNs.")
    if activation is not None:
        squashed = np.exp(answers) if activation.startswith("log_") else answers
    elif answers.shape[1] == 1:
        squashed = 0.5 * (1 + np.tanh(answers / 2))  # the sigmoid, without overflow
    else:
        powers = np.exp(answers - answers.max(axis=1, keepdims=True))
        squashed = powers / powers.sum(axis=1, keepdims=True)
    if squashed.shape[1] == 1:
        squashed = np.concatenate([1 - squashed, squashed], axis=1)
    return squashed.astype(np.float32)


class Logits:
    """A classifier as a function from images to logits [N, classes], whatever it answers.

    What its answers stand for is decided on the first batch and holds for all others.

    Attributes:
        activation: what the model applies to its logits; `UNKNOWN` before the first batch where
            the graph does not tell.

    Args:
        answer: a function from images to answers [N, classes].
        activation: what the model's graph says.
        step: the distance between two neighboring answers of an integer file, 0 for floats.
    """

    def __init__(
        self, answer: Callable[[np.ndarray], Any], activation: str | None, *, step: float = 0.0
    ) -> None:
        self.activation = activation
        self._answer, self._step = answer, step

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the logits of a batch of images, float64.

        Raises:
            ValueError: the answer is not [N, classes].
        """
        answers = _one_table(self._answer(images))
        self.activation = decide_and_warn(self.activation, answers, step=self._step)
        smallest = self._step / 2 or _SMALLEST
        return as_logits(answers, self.activation, smallest=smallest)


def _one_table(answered: Any) -> np.ndarray:
    """Return what a model answers as an array [N, classes]."""
    several = [*answered.values()] if isinstance(answered, dict) else answered
    if isinstance(several, list | tuple) and any(np.ndim(each) > 1 for each in several):
        received = " and ".join(str(np.shape(each)) for each in several)
    else:
        answers = np.asarray(answered)
        if answers.ndim == 2:
            return answers
        received = str(answers.shape)
    raise ValueError(
        f"A classifier returns one output [N, classes]. Received: {received}. Choose one output of "
        "a functional model with kcnn.models.select_output(model, name)."
    )


def _check_softmax(answers: np.ndarray, activation: str | None) -> None:
    if activation in ("softmax", "log_softmax") and answers.shape[1] == 1:
        raise ValueError(
            "The model applies softmax to a single output, which is 1 for every image: give it "
            "one output a class, or a sigmoid."
        )
