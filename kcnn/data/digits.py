"""scikit-learn's handwritten digits: real images that are already installed."""

import os
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import Image

from kcnn.data.labelled import LabelledImages
from kcnn.data.opened import Opened


@dataclass(frozen=True)
class Digits:
    """The 1,797 handwritten digits of scikit-learn, enlarged from 8x8 greys to 32x32x3.

    To try things without a download, and for tests. It says little about a model: small ones
    already exceed 97 %.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.

    >>> opened = Digits().open()
    >>> len(opened.train), opened.train.image_shape
    (1797, (32, 32, 3))
    """

    mirror: ClassVar[bool] = False

    def open(self, data_dir: str | os.PathLike | None = None) -> Opened:
        """Return all digits as training examples; `data_dir` has no meaning here."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        grey = np.rint(digits.images * (255 / 16)).astype(np.uint8)
        large = np.stack([Image.fromarray(g).resize((32, 32), Image.BILINEAR) for g in grey])
        images = np.repeat(large[..., np.newaxis], 3, axis=-1)
        return Opened(
            train=LabelledImages(images, digits.target.astype(np.int32)),
            test=None,
            class_names=tuple(str(name) for name in digits.target_names),
        )
