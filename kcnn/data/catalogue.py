"""The sources that have a name. Nothing here loads TensorFlow."""

import os
from pathlib import Path

ARRAYS_PREFIX = "arrays:"
FOLDER_PREFIX = "folder:"

SOURCES = {
    f"{ARRAYS_PREFIX}FILE.npz": "your arrays: train_images, train_labels and, if there, test_*",
    "cifar10": "60,000 color photos of 10 kinds of things, 32x32 (TensorFlow Datasets)",
    "cifar100": "60,000 color photos of 100 kinds of things, 32x32 (TensorFlow Datasets)",
    "digits": "1,797 handwritten digits in 32x32x3, part of scikit-learn: needs no download",
    "fashion_mnist": "70,000 gray pictures of 10 kinds of clothes, 28x28 (TensorFlow Datasets)",
    "mnist": "70,000 handwritten digits in gray, 28x28 (TensorFlow Datasets)",
    "svhn_cropped": "99,289 house-number digits in color, 32x32 (TensorFlow Datasets)",
    f"{FOLDER_PREFIX}PATH": "your images: PATH/train/CLASS/*.png, if there PATH/val and PATH/test",
}
"""The best known sources. All image-classification sets of TensorFlow Datasets work, too."""

CHARACTER_SETS = frozenset(
    {"binarized_mnist", "emnist", "kmnist", "mnist", "mnist_corrupted", "omniglot", "svhn_cropped"}
)
"""Sets of TensorFlow Datasets whose images must not be mirrored."""


def names() -> list[str]:
    """Return the names of the best known sources.

    >>> "digits" in names()
    True
    """
    return list(SOURCES)


def absolute(name: str) -> str:
    """Return the name of a source with an absolute path, where it has a path.

    >>> absolute("folder:/photos/../flowers"), absolute("digits")
    ('folder:/flowers', 'digits')
    """
    prefix, path = _prefix_and_path(name)
    return prefix + os.path.abspath(os.path.expanduser(path)) if path else name


def short(name: str) -> str:
    """Return the name of a source without the folders in which its file or folder lies.

    >>> short("folder:/photos/flowers"), short("digits")
    ('folder:flowers', 'digits')
    """
    prefix, path = _prefix_and_path(name)
    return prefix + Path(path).name if path else name


def _prefix_and_path(name: str) -> tuple[str, str]:
    for prefix in (ARRAYS_PREFIX, FOLDER_PREFIX):
        if name.startswith(prefix):
            return prefix, name.removeprefix(prefix)
    return "", ""
