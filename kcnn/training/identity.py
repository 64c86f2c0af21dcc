"""Which training images a training got, in a few words: a state belongs to one training only."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from kcnn.data.jax_data import JaxData

if TYPE_CHECKING:
    from kcnn.data import Data


def identify(data: "Data | JaxData") -> dict[str, str | int]:
    """Return the seed of the data and a digest of the first batch, where they follow from a seed.

    Images, split, order and augmentation all decide the first batch. A training set of the user's
    own may be another one each time, so nothing is said of it.
    """
    if isinstance(data, JaxData):
        train = data.arrays.train
        digest = _digest(train.images[:64], train.labels)
        return {"seed": data.seed, "augment": str(data.augment), "training_images": digest}
    if data.shuffled is None:
        return {}
    images, labels = next(iter(data.batches().take(1).as_numpy_iterator()))
    return {"seed": data.shuffled.seed, "first_batch": _digest(images, labels)}


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
