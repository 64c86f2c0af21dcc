"""Single images of a test set: named ones, and some from all over it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData


def images_at(data: "Data | JaxData", places: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the test images at `places`, from 0, and their labels; read no further than the last.

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


def spread_images(data: "Data | JaxData", count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` test images at equal distances, or all if there are no more, and their labels.

    A folder's test set lies class by class: its first images would show one class only.
    """
    count = min(count, data.num_test)
    return images_at(data, np.arange(count) * data.num_test // count)
