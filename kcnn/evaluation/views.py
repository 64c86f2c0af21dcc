"""Test-time augmentation: the mean of a model's logits over several views of each image."""

from collections.abc import Callable, Iterator
from functools import reduce

import numpy as np

from kcnn.errors import unknown

PredictFn = Callable[[np.ndarray], np.ndarray]

UNSURE = "flip_shift_unsure"

TTA = {"none": 1, "flip": 2, "flip_shift": 6, UNSURE: 1 + 6 / 4}
"""The kinds of test-time augmentation, each with its mean number of views of an image: the image as
it is; with its mirror image; both, and both moved by one pixel up-left and down-right; the last
again, but only of the quarter of the images of which the model is least sure."""


def averaged(predict: PredictFn, tta: str) -> PredictFn:
    """Return the function from images to the weighted mean of the logits of their views.

    "flip_shift" has the six views and the weights of airbench: the two views in place have half of
    the weight, the four moved by one pixel the other half. The border of a moved view mirrors the
    pixels inside it.

    Paper: Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (2024), section 3.5,
    https://arxiv.org/abs/2404.00498.

    Args:
        predict: a function from uint8 images [B, H, W, C] to logits [B, classes].
        tta: one of `TTA`, without the one that depends on the whole data set.

    Raises:
        ValueError: the name is unknown; in a call, the batch is none of images.

    >>> mean_of_first_column = averaged(lambda images: images[:, 0, :1, 0], "flip")
    >>> mean_of_first_column(np.array([[[[10], [30]]]], np.uint8))
    array([[20.]])
    """
    if tta not in TTA:
        raise unknown("test-time augmentation", tta, TTA)
    if tta == "none":
        return predict

    def predict_views(images: np.ndarray) -> np.ndarray:
        if images.ndim != 4:
            raise ValueError(
                "Test-time augmentation mirrors and moves images [B, H, W, C]: leave tta out. "
                f"Received: tta={tta!r} and a batch of shape {images.shape}."
            )
        # One view at a time: the caller chose a batch size that fits into memory.
        views = _flip_shift(images) if tta == "flip_shift" else _flip(images, 1.0)
        weighted = (weight * np.asarray(predict(view), np.float64) for view, weight in views)
        return reduce(np.add, weighted)

    return predict_views


def average_unsure(predict: PredictFn, batches: list[np.ndarray], logits: np.ndarray) -> np.ndarray:
    """Return the logits, those of the least sure quarter averaged over their views.

    A model is least sure where its largest probability is lowest: elsewhere a few views seldom
    change what it predicts. So do the fastest trainings to 94 % on CIFAR-10
    (https://github.com/hiverge/cifar10-speedrun).

    Args:
        predict: a function from uint8 images [B, H, W, C] to logits [B, classes].
        batches: all images of a data set, uint8 [B, H, W, C] each.
        logits: [N, classes], what it predicts for them as they are.
    """
    predict_views = averaged(predict, "flip_shift")
    shifted = logits - logits.max(axis=1, keepdims=True)
    confidence = 1 / np.exp(shifted).sum(axis=1)  # of the softmax, the largest value
    unsure = np.sort(np.argsort(confidence, kind="stable")[: round(len(logits) / 4)])
    images, size = np.concatenate(batches), len(batches[0])
    result = logits.copy()
    for start in range(0, len(unsure), size):
        chosen = unsure[start : start + size]
        result[chosen] = predict_views(images[chosen])
    return result


def _flip(images: np.ndarray, weight: float) -> Iterator[tuple[np.ndarray, float]]:
    yield images, weight / 2
    yield np.ascontiguousarray(images[:, :, ::-1]), weight / 2


def _flip_shift(images: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    yield from _flip(images, 0.5)
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="reflect")
    for moved in (padded[:, :-2, :-2], padded[:, 2:, 2:]):
        yield from _flip(np.ascontiguousarray(moved), 0.25)
