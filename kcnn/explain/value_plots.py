"""Heat maps of series and of voxels, drawn."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable

from kcnn.explain.enlarge import enlarged
from kcnn.pictures import HEAT, Figure

_LINES = 8
_PLANES = ("depth", "height", "width")


def plot_values(values: np.ndarray, heat: np.ndarray, titles: Sequence[str], title: str) -> Figure:
    """Draw series as lines before their heat maps, or three slices of voxels under theirs.

    Args:
        values: what was explained: [N, steps, C] or [N, depth, H, W, C].
        heat: float32 [N, steps] or [N, depth, h, w], 0 to 1, in any resolution.
        titles: one for each.
        title: of the figure.

    Raises:
        ValueError: the values are not those of the maps.
    """
    if values.ndim != heat.ndim + 1 or len(values) != len(heat):
        axes = {2: "[N, steps, C]", 4: "[N, depth, H, W, C]"}[heat.ndim]
        raise ValueError(
            f"Expected {len(heat)} values of shape {axes}. Received: shape {values.shape}"
        )
    heat = enlarged(heat, values.shape[1:-1])
    slices = heat.ndim == 4
    size = (7.5, 2.7 * len(values) + 0.6) if slices else (7.0, 1.6 * len(values) + 0.7)
    figure = Figure(figsize=size, dpi=130, layout="constrained")
    cells = figure.subplots(len(values), 3 if slices else 1, squeeze=False)
    for row, each, hot, name in zip(cells, values, heat, titles, strict=True):
        if slices:
            _draw_slices(row, each, hot)
            row[1].set_title(name, fontsize=9, parse_math=False)
        else:
            _draw_series(row[0], each, hot)
            row[0].set_title(name, fontsize=9, parse_math=False)
    bar = figure.colorbar(ScalarMappable(cmap=HEAT), ax=cells, aspect=12 * len(values), pad=0.02)
    bar.set_label("evidence for the class\n(1 = the map's own peak)", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    figure.suptitle(title, fontsize=11, parse_math=False)
    return figure


def _draw_series(cell: Axes, series: np.ndarray, heat: np.ndarray) -> None:
    """Draw the channels of one series, each on its own scale, before the heat map."""
    series = series[:, :_LINES].astype("float64")
    low, span = series.min(axis=0), np.ptp(series, axis=0)
    lines = (series - low) / np.where(span > 0, span, 1)
    cell.imshow(
        heat[None],
        cmap=HEAT,
        vmin=0,
        vmax=1,
        aspect="auto",
        extent=(-0.5, len(series) - 0.5, -0.05, 1.05),
        alpha=0.6,
    )
    cell.plot(lines, linewidth=0.9)
    cell.set_xlim(-0.5, len(series) - 0.5)
    cell.set_ylim(-0.05, 1.05)
    cell.set_yticks([])
    cell.set_xlabel("step", fontsize=7)
    cell.tick_params(labelsize=7)


def _draw_slices(cells: Sequence[Axes], voxels: np.ndarray, heat: np.ndarray) -> None:
    """Draw the three slices of one body through the place with the most evidence."""
    gray = voxels.mean(axis=-1)
    place = np.unravel_index(heat.argmax(), heat.shape)
    for axis, (cell, name) in enumerate(zip(cells, _PLANES, strict=True)):
        cell.imshow(np.take(gray, place[axis], axis), cmap="gray", vmin=gray.min(), vmax=gray.max())
        cell.imshow(np.take(heat, place[axis], axis), cmap=HEAT, vmin=0, vmax=1, alpha=0.5)
        cell.set_xticks([])
        cell.set_yticks([])
        cell.set_xlabel(f"{name} {place[axis]}", fontsize=7)
