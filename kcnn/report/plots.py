"""The pictures of a run: learning curves and the confusion matrix."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from kcnn.pictures import save_figure

# Okabe and Ito's palette: told apart with any colour vision.
_TRAINING, _VALIDATION, _RATE, _BEST = "#0072B2", "#D55E00", "#009E73", "#666666"

_NUMBERED_CLASSES = 20  # above, the counts of a confusion matrix no longer fit their cells
_NAMED_CLASSES = 120  # above, neither do the class names


def plot_curves(
    history: Mapping[str, Sequence[float]],
    path: str | os.PathLike,
    *,
    best_epoch: int | None = None,
    title: str = "Learning curves",
) -> None:
    """Draw the course of a training into a picture file; see `curves_figure`.

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "curves.png")
    >>> plot_curves({"loss": [2.3, 1.9], "val_loss": [2.1, 1.8]}, path)
    >>> os.path.exists(path)
    True
    """
    save_figure(curves_figure(history, best_epoch=best_epoch, title=title), path)


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


def curves_figure(
    history: Mapping[str, Sequence[float]],
    *,
    best_epoch: int | None = None,
    title: str = "Learning curves",
) -> Figure:
    """Return loss, accuracy and learning rate by epoch, the best epoch marked.

    Args:
        history: one value an epoch under each of `loss`, `accuracy`, `val_loss`, `val_accuracy`
            and `learning_rate`; only `loss` is required, other keys are ignored.
        best_epoch: the epoch to mark, from 1. Defaults to the one of least `val_loss`, if any.
        title: the heading.

    Raises:
        ValueError: no `loss`, no epoch, unequal lengths, or no such best epoch.

    >>> figure = curves_figure({"loss": [2.3, 1.9], "learning_rate": [1e-3, 1e-4]})
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss', 'learning rate']
    """
    epochs = _count_epochs(history)
    best_epoch = _best_epoch(history, best_epoch, epochs)
    panels = ["loss"] + [key for key in ("accuracy", "learning_rate") if _has(history, key)]
    figure = Figure(figsize=(4.4 * len(panels) + 0.4, 3.9), dpi=150, layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        if panel == "learning_rate":
            _draw_rate(axes, history[panel])
        else:
            _draw_metric(axes, history, panel)
        _finish_epochs(axes, epochs, best_epoch)
    figure.get_layout_engine().set(wspace=0.05)
    figure.suptitle(title, fontsize=12, parse_math=False)
    if _has(history, "val_loss") or _has(history, "val_accuracy"):
        # Without it the first question is why validation can be above training.
        figure.supxlabel(
            "Training values are means over an epoch under way, with any augmentation and dropout "
            "on; validation values are taken at its end, without them.",
            fontsize=7,
            color=_BEST,
        )
    return figure


def confusion_figure(
    confusion: np.ndarray, class_names: Sequence[str], *, title: str = "Confusion matrix"
) -> Figure:
    r"""Return a confusion matrix: counts, coloured by their share of the true class.

    Above 20 classes the counts are left out. The colours follow the share's square root, so that
    rare confusions are seen beside a full diagonal.

    Args:
        confusion: int [classes, classes], rows true, columns predicted.
        class_names: one per class, in order.
        title: the heading, to which the accuracy is added.

    Raises:
        ValueError: the matrix is not square, counts nothing, or does not fit the names.

    >>> figure = confusion_figure(np.array([[9, 1], [2, 8]]), ["cat", "dog"])
    >>> figure.axes[0].get_title()
    'Confusion matrix\n17 of 20 right: 85.00%'
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
    heading = f"{title}\n{right:,} of {count:,} right: {right / count:.2%}"
    axes.set_title(heading, fontsize=11, parse_math=False)
    bar = figure.colorbar(
        image, ax=axes, shrink=0.8, ticks=[0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1]
    )
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    bar.ax.tick_params(labelsize=8)
    bar.set_label("share of the true class", fontsize=9)
    return figure


def _draw_metric(axes: Axes, history: Mapping[str, Sequence[float]], metric: str) -> None:
    _draw_line(axes, history[metric], "training", _TRAINING)
    if _has(history, f"val_{metric}"):
        _draw_line(axes, history[f"val_{metric}"], "validation", _VALIDATION)
    axes.set_title(metric.capitalize(), fontsize=11)
    axes.set_ylabel(metric)
    if metric == "accuracy":
        axes.set_ylabel("accuracy (%)")
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))


def _draw_rate(axes: Axes, values: Sequence[float]) -> None:
    # Steps, for a rate set once an epoch: a slope would show values that were never used.
    _draw_line(axes, values, "learning rate", _RATE, drawstyle="steps-mid")
    if min(values) > 0:
        axes.set_yscale("log")
    axes.set_title("Learning rate", fontsize=11)
    axes.set_ylabel("learning rate")


def _draw_line(
    axes: Axes, values: Sequence[float], label: str, colour: str, drawstyle: str = "default"
) -> None:
    axes.plot(
        range(1, len(values) + 1),
        values,
        color=colour,
        label=label,
        drawstyle=drawstyle,
        # A line needs two points: with few epochs the points themselves are drawn.
        marker="o" if len(values) <= 15 else None,
        markersize=3.5,
    )


def _finish_epochs(axes: Axes, epochs: int, best_epoch: int | None) -> None:
    if best_epoch is not None:
        label = f"best epoch: {best_epoch}"
        axes.axvline(best_epoch, color=_BEST, linestyle="--", linewidth=1, label=label, zorder=1)
    axes.set_xlabel("epoch")
    axes.set_xlim(0.5, epochs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, framealpha=0.9)


def _write_counts(axes: Axes, confusion: np.ndarray, shares: np.ndarray) -> None:
    for (row, column), count in np.ndenumerate(confusion):
        # From 0.5 on, white ink contrasts more with the blue beneath than black.
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


def _has(history: Mapping[str, Sequence[float]], key: str) -> bool:
    return len(history.get(key, ())) > 0


def _count_epochs(history: Mapping[str, Sequence[float]]) -> int:
    known = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
    lengths = {key: len(history[key]) for key in known if _has(history, key)}
    if "loss" not in lengths or len(set(lengths.values())) != 1:
        raise ValueError(
            "Expected a history with 'loss' and as many values under every key as epochs. "
            f"Received: {lengths or 'no values'}"
        )
    return lengths["loss"]


def _best_epoch(
    history: Mapping[str, Sequence[float]], best_epoch: int | None, epochs: int
) -> int | None:
    if best_epoch is not None:
        if not 1 <= best_epoch <= epochs:
            raise ValueError(f"Expected best_epoch from 1 to {epochs}. Received: {best_epoch}")
        return best_epoch
    losses = np.asarray(history.get("val_loss", ()), dtype=float)
    return int(np.nanargmin(losses)) + 1 if np.isfinite(losses).any() else None


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
