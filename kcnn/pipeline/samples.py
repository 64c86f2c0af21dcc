"""Some images of a test set, by their places or from all over it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from kcnn.data import Data, HeldOut, JaxData


def images_at(
    data: "Data | HeldOut | JaxData", places: Iterable[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the test images at these places, and their labels.

    Args:
        data: Its test set is read up to the last of the places.
        places: From 0; none twice.

    Returns:
        The images uint8 [N, H, W, C] and their labels int32 [N], in the order of `places`.
    """
    places = [int(place) for place in places]
    wanted, found, start = set(places), {}, 0
    for images, labels in data.test.as_numpy_iterator():
        for place in wanted & set(range(start, start + len(images))):
            found[place] = images[place - start], labels[place - start]
        start += len(images)
        if len(found) == len(wanted):
            break
    images, labels = zip(*(found[place] for place in places), strict=True)
    return np.stack(images), np.stack(labels)


def spread_images(data: "Data | HeldOut | JaxData", count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` test images at equal distances, or all if there are fewer, and their labels.

    The first images would not do: the test set of a folder is sorted by class.
    """
    count = min(count, data.num_test)
    return images_at(data, np.arange(count) * data.num_test // count)
