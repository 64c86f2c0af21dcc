"""The sources that have a name. Nothing here loads TensorFlow."""

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
    f"{FOLDER_PREFIX}PATH": "your images: PATH/train/CLASS/*.png and, if present, PATH/test/CLASS",
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
