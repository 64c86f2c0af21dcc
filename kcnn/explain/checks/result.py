"""The result of a check: its numbers as a table, and its curves as a picture."""

import os
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from kcnn.explain.checks.deletion_insertion import Curves
from kcnn.explain.checks.localization import Localization
from kcnn.explain.checks.randomization import Cascade
from kcnn.explain.checks.score import Score
from kcnn.explain.methods import METHODS
from kcnn.intervals import bootstrap
from kcnn.pictures import GRAY, PALETTE, Figure, clean_axes, png_of, save_figure

_COLORS = {"own": PALETTE[0], "random": GRAY, "edges": PALETTE[1]}
_STYLES = {"own": "-", "random": ":", "edges": "--"}


@dataclass(frozen=True, eq=False)
class Check:
    """The scores of a method's heat maps in every test; print it for a table.

    Attributes:
        method: the key of the method in `kcnn.explain.METHODS`.
        layer: the name of the layer whose output was explained.
        count: the number of images N.
        deletion: the probability of the class as the hottest pixels vanish.
        insertion: the probability of the class as the hottest pixels appear.
        randomization: how similar the maps stay as more and more layers are random.
        planted_patch: where the heat lies when a patch decides.
        mosaic: where the heat lies among four images.
    """

    method: str
    layer: str
    count: int
    deletion: Curves
    insertion: Curves
    randomization: Cascade
    planted_patch: Localization
    mosaic: Localization

    @property
    def scores(self) -> tuple[Score, ...]:
        """The score of each row of the table."""
        places = [s for test in (self.planted_patch, self.mosaic) for s in (test.heat, test.peak)]
        return (self.deletion.score, self.insertion.score, self.randomization.score, *places)

    @property
    def title(self) -> str:
        """What was checked, in words."""
        return f"{METHODS[self.method].title} at layer {self.layer!r}, {self.count} images"

    def table(self) -> str:
        """Return each score's mean and 95 % interval as lines of text.

        `beats` names the maps that the method's own map is better than: the interval of the
        difference, image by image, does not include zero. `images` is the number that counts.
        """
        header = ["test", "better", "this map", "random", "edges", "chance", "perfect", "beats"]
        rows = [[*header, "images"], *(_row(score) for score in self.scores)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([f"{self.title}: mean [95 % interval]", *lines])

    __str__ = table

    def _repr_png_(self) -> bytes:
        return png_of(self.plot())

    def plot(self) -> Figure:
        """Draw the curves of deletion, insertion and randomization, and the scores of location."""
        figure = Figure(figsize=(9.6, 7.2), dpi=150, layout="constrained")
        axes = figure.subplots(2, 2)
        _draw_curves(axes[0, 0], self.deletion, "Deletion: lower is better", "deleted")
        _draw_curves(axes[0, 1], self.insertion, "Insertion: higher is better", "inserted")
        _draw_cascade(axes[1, 0], self.randomization)
        _draw_places(axes[1, 1], self.scores[-4:])
        for cell in axes.flat:
            clean_axes(cell)
        title = f"{self.title}\nmeans and their 95 % intervals"
        figure.suptitle(title, fontsize=11, parse_math=False)
        return figure

    def save(self, path: str | os.PathLike) -> None:
        """Write `plot()` to a picture file; its suffix names the format."""
        save_figure(self.plot(), path)


def _row(score: Score) -> list[str]:
    estimates = score.estimates
    return [
        score.name,
        "higher" if score.higher_is_better else "lower",
        *(str(estimates[name]) for name in ("own", "random", "edges")),
        *("-" if known is None else f"{known:.2f}" for known in (score.chance, score.perfect)),
        ", ".join(score.beats) or "none",
        str(estimates["own"].count),
    ]


def _draw_curves(axes: Axes, curves: Curves, title: str, verb: str) -> None:
    for name, probability in curves.probability.items():
        label = f"{_label(name)}, area {curves.score.estimates[name].mean:.2f}"
        _draw_band(axes, curves.shares, probability, name, label)
    axes.set_xlabel(f"share of the pixels {verb}, hottest first")
    axes.set_ylabel("probability of the class")
    axes.set_ylim(0, 1.02)
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8, framealpha=0.9)


def _draw_cascade(axes: Axes, cascade: Cascade) -> None:
    depths = np.arange(len(cascade.layers) + 1)
    trained = np.ones((1, cascade.correlation.shape[1]))
    _draw_band(axes, depths, np.concatenate([trained, cascade.correlation]).T, "own", "this map")
    axes.axhline(1, color=_COLORS["edges"], linestyle=_STYLES["edges"], label="edges")
    axes.axhline(0, color=_COLORS["random"], linestyle=_STYLES["random"], label="random")
    names = ["trained", *cascade.layers]
    axes.set_xticks(depths, names, rotation=40, ha="right", fontsize=7, parse_math=False)
    axes.set_xlabel("random from the logits down to")
    axes.set_ylabel("rank correlation with the trained maps")
    axes.set_title("Randomized weights: should fall", fontsize=10)
    axes.legend(fontsize=8, framealpha=0.9)


def _draw_places(axes: Axes, scores: tuple[Score, ...]) -> None:
    for offset, name in zip((-0.2, 0, 0.2), _COLORS, strict=True):
        found = [score.estimates[name] for score in scores]
        means = [each.mean for each in found]
        spread = [[e.mean - e.low for e in found], [e.high - e.mean for e in found]]
        places = np.arange(len(scores)) + offset
        color = _COLORS[name]
        axes.errorbar(places, means, spread, fmt="o", ms=4, color=color, label=_label(name))
    for place, score in enumerate(scores):
        if score.chance is not None:
            label = "" if place else "chance"
            axes.hlines(score.chance, place - 0.4, place + 0.4, "black", lw=0.8, label=label)
    names = [score.name.replace(": ", "\n").replace(" in the right place", "") for score in scores]
    counts = [score.estimates["own"].count for score in scores]
    labels = [f"{name}\n{count} images" for name, count in zip(names, counts, strict=True)]
    axes.set_xticks(range(len(scores)), labels, fontsize=8)
    axes.set_ylabel("share in the right place")
    axes.set_ylim(0, 1.02)
    axes.set_title("Ground truth: higher is better", fontsize=10)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=4, frameon=False)


def _draw_band(axes: Axes, x: np.ndarray, values: np.ndarray, name: str, label: str) -> None:
    """Draw the mean of values [n, x] and the band of its intervals."""
    found = [bootstrap(column) for column in values.T]
    color, style = _COLORS[name], _STYLES[name]
    axes.plot(x, [each.mean for each in found], style, color=color, label=label)
    low, high = [each.low for each in found], [each.high for each in found]
    axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)


def _label(name: str) -> str:
    return "this map" if name == "own" else name
