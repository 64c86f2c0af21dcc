"""The picture of a confusion matrix."""

import os
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import PercentFormatter

from kcnn.pictures import Figure, save_figure

_NUMBERED_CLASSES = 20  # above, the counts of a confusion matrix no longer fit their cells
_NAMED_CLASSES = 120  # above, neither do the class names


def plot_confusion(
    confusion: np.ndarray,
    class_names: Sequence[str],
    path: str | os.PathLike,
    *,
    title: str = "Confusion matrix",
) -> None:
    """Draw a confusion matrix into a picture file; see `confusion_figure`.

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "confusion.png")
    >>> plot_confusion(np.array([[9, 1], [2, 8]]), ["cat", "dog"], path)
    >>> os.path.exists(path)
    True
    """
    save_figure(confusion_figure(confusion, class_names, title=title), path)


def confusion_figure(
    confusion: np.ndarray, class_names: Sequence[str], *, title: str = "Confusion matrix"
) -> Figure:
    r"""Return a confusion matrix: counts, colored by their share of the true class.

    Above 20 classes the counts are left out. The colors follow the square root of the share, so
    that rare confusions are visible beside a full diagonal.

    Args:
        confusion: int [classes, classes], rows true, columns predicted.
        class_names: one per class, in order.
        title: the heading; the accuracy is added to it.

    Raises:
        ValueError: the matrix is not square, counts nothing, or does not fit the names.

    >>> figure = confusion_figure(np.array([[9, 1], [2, 8]]), ["cat", "dog"])
    >>> figure.axes[0].get_title()
    'Confusion matrix\n17 of 20 correct: 85.00%'
    """
    confusion = _check_confusion(confusion, class_names)
    classes = len(class_names)
    totals = confusion.sum(axis=1, keepdims=True)
    shares = confusion / np.where(totals > 0, totals, 1)
    side = float(np.clip(0.62 * classes + 2.2, 4.2, 13.0))
    figure = Figure(figsize=(side + 0.8, side), dpi=150, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    if classes <= _NUMBERED_CLASSES:
        _write_counts(axes, confusion, shares)
    _name_classes(axes, class_names)
    right, count = int(np.trace(confusion)), int(confusion.sum())
    heading = f"{title}\n{right:,} of {count:,} correct: {right / count:.2%}"
    axes.set_title(heading, fontsize=11, parse_math=False)
    bar = figure.colorbar(
        image, ax=axes, shrink=0.8, ticks=[0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1]
    )
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    bar.ax.tick_params(labelsize=8)
    bar.set_label("share of the true class", fontsize=9)
    return figure


def _write_counts(axes: Axes, confusion: np.ndarray, shares: np.ndarray) -> None:
    for (row, column), count in np.ndenumerate(confusion):
        # From a share of 0.5 on, white contrasts more with the blue cell than black does.
        ink = "white" if shares[row, column] > 0.5 else ("black" if count else "#BBBBBB")
        axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color=ink)


def _name_classes(axes: Axes, class_names: Sequence[str]) -> None:
    classes = len(class_names)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if classes > _NAMED_CLASSES:
        return
    style = {"fontsize": float(np.clip(200 / classes, 4.5, 9)), "parse_math": False}
    tilt = {"rotation": 45 if classes <= 12 else 90, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(classes), class_names, va="center", **tilt, **style)
    axes.set_yticks(range(classes), class_names, **style)


def _check_confusion(confusion: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    confusion = np.asarray(confusion)
    classes = len(class_names)
    if confusion.shape != (classes, classes) or confusion.dtype.kind not in "ui":
        raise ValueError(
            f"Expected whole counts of shape ({classes}, {classes}) for {classes} class names. "
            f"Received: shape {confusion.shape}, {confusion.dtype}"
        )
    if confusion.min() < 0 or not confusion.any():
        raise ValueError(f"Expected counts of at least one image. Received: {confusion.sum()}")
    return confusion
