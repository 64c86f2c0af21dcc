"""What can be asked for by name. Nothing here loads TensorFlow."""

ARRAYS_PREFIX = "arrays:"
FOLDER_PREFIX = "folder:"

SOURCES = {
    f"{ARRAYS_PREFIX}FILE.npz": "your arrays: train_images, train_labels and, if there, test_*",
    "cifar10": "60,000 colour photos of 10 kinds of things, 32x32 (TensorFlow Datasets)",
    "cifar100": "60,000 colour photos of 100 kinds of things, 32x32 (TensorFlow Datasets)",
    "digits": "1,797 handwritten digits in 32x32x3, part of scikit-learn: needs no download",
    "fashion_mnist": "70,000 grey pictures of 10 kinds of clothes, 28x28 (TensorFlow Datasets)",
    "mnist": "70,000 handwritten digits in grey, 28x28 (TensorFlow Datasets)",
    "svhn_cropped": "99,289 house-number digits in colour, 32x32 (TensorFlow Datasets)",
    f"{FOLDER_PREFIX}PATH": "your images: PATH/train/CLASS/*.png and, if present, PATH/test/CLASS",
}
"""The best known sources. Every other image-classification set of TensorFlow Datasets works too."""

CHARACTER_SETS = frozenset(
    {"binarized_mnist", "emnist", "kmnist", "mnist", "mnist_corrupted", "omniglot", "svhn_cropped"}
)
"""Sets of TensorFlow Datasets whose images must not be mirrored."""

BORDER = 4
"""Black pixels on every side before a crop."""
NARROW_BORDER = 2
"""Mirrored ones of "alternating"."""

AUGMENTATIONS = {
    "none": "the images as they are",
    "shift": "4 pixels of black border, then a random crop of the old size",
    "standard": "shift, and half of the images mirrored, unless the source forbids it",
    "alternating": "2 pixels of mirrored border, a crop, and each image mirrored every other epoch",
    "strong": "standard, rotation up to 15 degrees, brightness, contrast, saturation +-20 %",
    "cutout": "standard, and a black square of half the side somewhere in each image",
    "mixup": "standard, and each image blended with another one, soft labels in the same shares",
    "cutmix": "standard, and a rectangle of another image pasted into each, soft labels by area",
}
"""What can happen to a training image. Each image has its own draw."""


def names() -> list[str]:
    """Return the names of the best known sources.

    >>> "digits" in names()
    True
    """
    return list(SOURCES)
