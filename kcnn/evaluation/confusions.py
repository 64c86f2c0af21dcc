"""The pairs of classes that a classifier confuses most; without scikit-learn, for the report."""

import numpy as np


def most_confused(confusion: np.ndarray, limit: int) -> list[tuple[int, int, int]]:
    """Return the most frequent confusions: true class, predicted class, number of images.

    Args:
        confusion: int [classes, classes], rows true, columns predicted.
        limit: how many pairs to return at most.

    >>> most_confused(np.array([[3, 1], [0, 4]]), limit=10)
    [(0, 1, 1)]
    """
    wrong = confusion * ~np.eye(len(confusion), dtype=bool)
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit].tolist()
    pairs = [divmod(place, len(confusion)) for place in order if wrong.flat[place]]
    return [(truth, predicted, int(wrong[truth, predicted])) for truth, predicted in pairs]
