"""What the lessons share: photographs, results of long trainings, and how pictures are drawn.

To import it also silences progress bars and TensorFlow's advice about performance.
"""

import json
import logging
from pathlib import Path

import numpy as np
import tensorflow as tf

logging.getLogger("kcnn").setLevel(logging.INFO)  # lines in its log instead of progress bars
tf.get_logger().setLevel(logging.ERROR)

__all__ = [
    "DATA",
    "SAVED",
    "images_of",
    "outcomes",
    "photographs",
    "show",
    "test_accuracies",
]

_HERE = Path(__file__).resolve().parent
DATA = _HERE / "data"
SAVED = _HERE.parent / "saved_models"


def photographs():
    """Return images, labels and class names: the first four test images of each CIFAR-10 class."""
    with np.load(DATA / "cifar10_test.npz") as file:
        return file["images"], file["labels"].astype(int), file["class_names"].tolist()


def images_of(name):
    """Return the four photographs of a class."""
    images, labels, names = photographs()
    return images[labels == names.index(name)]


def outcomes(comparison):
    """Return the trainings of a comparison in `saved_models/`, as `results.json` has them."""
    return json.loads((SAVED / comparison / "results.json").read_text())["outcomes"]


def test_accuracies(comparison):
    """Return the test accuracies of each variant of a comparison in percent, one a training.

    A training that diverged has none.
    """
    found = {}
    for each in outcomes(comparison):
        scores = found.setdefault(each["variant"], [])
        if not each["diverged"]:
            scores.append(100 * each["test_accuracy"])
    return found


def show(axes, picture, title="", cmap="gray", limit=None):
    """Draw a picture without ticks; with `limit`, on a color scale from -limit to limit."""
    axes.imshow(picture, cmap=cmap, vmin=None if limit is None else -limit, vmax=limit)
    axes.set_title(title, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
