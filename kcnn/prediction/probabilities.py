"""From what a model answers to probabilities: squashed exactly once."""

import numpy as np


def as_probabilities(
    answers: np.ndarray, activation: str | None, *, rounding: float | None = 1e-5
) -> np.ndarray:
    """Return the probabilities float32 [N, classes] that a model's answers stand for.

    Args:
        answers: [N, classes].
        activation: what the model applies to its logits: "softmax", "log_softmax", "sigmoid",
            "log_sigmoid", or None for nothing. Then the softmax of the answers is returned, or the
            sigmoid, where there is one answer only.
        rounding: by how much the sum of probabilities may miss 1 where answers without a known
            activation are checked for being probabilities already; None to leave that check out.

    Raises:
        ValueError: the answers are not finite, or probabilities from an unknown source.

    >>> as_probabilities(np.array([[np.log(3.0), 0.0]]), None)
    array([[0.75, 0.25]], dtype=float32)
    """
    answers = np.asarray(answers, np.float64)
    if np.isnan(answers).any() or (activation is None and np.isinf(answers).any()):
        raise ValueError("The model's scores are not finite: its weights or the images hold NaNs.")
    if activation is not None:
        squashed = np.exp(answers) if activation.startswith("log_") else answers
    elif rounding is not None and are_probabilities(answers, rounding=rounding):
        raise ValueError(
            "A prediction needs a model that ends in logits or in a softmax of Keras. Received: a "
            "model that gives probabilities, or their logarithms, from something else. Let it end "
            "in logits."
        )
    elif answers.shape[1] == 1:
        squashed = 0.5 * (1 + np.tanh(answers / 2))  # the sigmoid, without overflow
    else:
        powers = np.exp(answers - answers.max(axis=1, keepdims=True))
        squashed = powers / powers.sum(axis=1, keepdims=True)
    return squashed.astype(np.float32)


def are_probabilities(scores: np.ndarray, *, rounding: float = 1e-5) -> bool:
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
