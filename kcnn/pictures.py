"""What all pictures have in common: their colors, their axes, and how they are written."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure as MatplotlibFigure

from kcnn.errors import unknown
from kcnn.fonts import cover, quiet
from kcnn.run_dir import atomic

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""The colors of lines and bars: Okabe and Ito's, which readers with any color vision can tell
apart, without their yellow, which is too light for a line.

https://jfly.uni-koeln.de/color/
"""

GRAY = "#666666"
"""The color of what explains a picture but is no data: reference lines, notes."""

HEAT = "inferno"
"""Matplotlib's color map of heat maps, black where there is none. Its lightness rises evenly, so
it is readable with any color vision."""


class Figure(MatplotlibFigure):
    """A figure that a notebook shows as a picture, also where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        return png_of(self)


def png_of(figure: MatplotlibFigure) -> bytes:
    """Return a figure as a PNG."""
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=100)
    return written.getvalue()


def clean_axes(axes: Axes, *, grid: bool = True, legend: bool = False) -> None:
    """Give axes that are drawn kcnn's look: no frame above and to the right, a faint grid.

    Args:
        axes: the axes, with everything drawn.
        grid: draw grid lines.
        legend: add a legend of the labelled lines.
    """
    axes.spines[["top", "right"]].set_visible(False)
    if grid:
        axes.grid(alpha=0.25)
    if legend:
        axes.legend(fontsize=8, framealpha=0.9)


def side_by_side(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """Return batches of images joined from left to right, with white strips between them.

    Args:
        tiles: uint8 [N, H, W, 1 or 3] each, all of the same N, H and W.

    Returns:
        uint8 [N, H, W', 3].

    >>> side_by_side([np.zeros((2, 32, 32, 1), np.uint8)] * 2).shape
    (2, 32, 66, 3)
    """
    rgb = [np.broadcast_to(each, (*each.shape[:3], 3)) for each in tiles]
    count, height, width, _ = rgb[0].shape
    strip = np.full((count, height, max(1, width // 16), 3), 255, np.uint8)
    return np.concatenate([part for each in rgb for part in (strip, each)][1:], axis=2)


def check_suffix(path: str | os.PathLike, option: str = "") -> None:
    """Refuse a file name whose suffix is no picture format that matplotlib writes.

    Args:
        path: the file to write.
        option: the command's flag that named it, for the error.

    Raises:
        ValueError: matplotlib writes no such format.

    >>> check_suffix("grad_cam.png")
    """
    path, formats = Path(path), FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower()[1:] not in formats:
        kind = f"kind of picture in {option}" if option else "kind of picture"
        raise unknown(kind, path.name, (f".{name}" for name in formats))


def save_figure(figure: MatplotlibFigure, path: str | os.PathLike) -> None:
    """Write a figure to a picture file; its suffix names the format.

    Raises:
        ValueError: matplotlib writes no such format; no file has been written then.
    """
    check_suffix(path)  # without a suffix, matplotlib would write to a name of its own
    cover(figure)
    with atomic(path) as temporary, quiet():
        figure.savefig(temporary)
