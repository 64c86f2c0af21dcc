"""scikit-learn's handwritten digits: real images that are installed with it."""

import functools
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from kcnn.data.labelled import LabelledImages
from kcnn.data.opened import Opened


@dataclass(frozen=True)
class Digits:
    """The 1,797 handwritten digits of scikit-learn, enlarged from 8x8 gray values to 32x32x3.

    For tests, and for trials without a download. The accuracy on it says little about a model,
    because small ones already exceed 97 %.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.

    >>> opened = Digits().open()
    >>> len(opened.train), opened.train.image_shape
    (1797, (32, 32, 3))
    """

    @property
    def mirror(self) -> bool:
        """False: a mirrored 2 is no 2."""
        return False

    def open(self, data_dir: str | os.PathLike | None = None) -> Opened:
        """Return all digits as training examples; `data_dir` is ignored."""
        images, labels, class_names = _read()
        return Opened(LabelledImages(images, labels), None, class_names)


@functools.cache  # 5 MB, which take a quarter of a second
def _read() -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    gray = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    large = np.stack([_enlarged(image) for image in gray])
    images = np.repeat(large[..., np.newaxis], 3, axis=-1)
    labels = digits.target.astype(np.int32)
    for array in (images, labels):
        array.flags.writeable = False  # all callers share them
    return images, labels, tuple(str(name) for name in digits.target_names)


def _enlarged(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR))
