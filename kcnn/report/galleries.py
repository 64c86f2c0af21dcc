"""Pictures of images with captions: mistakes, disagreements, heat maps side by side."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.figure import SubFigure

from kcnn.pictures import HEAT, Figure, save_figure, side_by_side

_TILE = 1.3  # inches, an image's width
_LINE = 0.16  # inches, a line of text
_LETTERS = 26  # in a line of a caption, per tile; a class may have a long name


@dataclass(frozen=True, eq=False)
class Gallery:
    """Images in a grid under one heading.

    Attributes:
        title: the heading.
        tiles: uint8 [N, H, W, 1 or 3] each: the images, and what is drawn to their right, such as
            their heat maps, of the same height and width.
        captions: one per image.
        names: one per tile, written below it; empty for none.
    """

    title: str
    tiles: tuple[np.ndarray, ...]
    captions: Sequence[str]
    names: Sequence[str] = ()


def plot_galleries(
    galleries: Sequence[Gallery], path: str | os.PathLike, *, heat: bool = False
) -> None:
    """Draw galleries below one another into a picture file; see `galleries_figure`."""
    save_figure(galleries_figure(galleries, heat=heat), path)


def galleries_figure(galleries: Sequence[Gallery], *, heat: bool = False) -> Figure:
    """Return galleries below one another.

    Args:
        galleries: at least one, each of at least one image.
        heat: add the color scale of heat maps, as `kcnn.explain.Heatmaps.overlay` draws them.

    Raises:
        ValueError: there is nothing to draw, or the numbers of tiles and captions differ.

    >>> image = np.zeros((2, 8, 8, 3), np.uint8)
    >>> figure = galleries_figure([Gallery("Mistakes", (image, image), ["a cat", "a dog"])])
    >>> [axes.get_title() for axes in figure.subfigs[0].axes if axes.images]
    ['a cat', 'a dog']
    """
    if not galleries:
        raise ValueError("Expected at least one gallery. Received: none")
    for gallery in galleries:
        _check(gallery)
    across = max(len(gallery.tiles) for gallery in galleries)
    columns = max(2, 6 // across)
    heights = [_height(gallery, columns) for gallery in galleries]
    width = columns * (across * _TILE + 0.25) + (0.7 if heat else 0)
    figure = Figure(figsize=(width, sum(heights)), dpi=130, layout="constrained")
    parts = figure.subfigures(len(galleries), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, gallery in zip(parts, galleries, strict=True):
        axes = _draw(part, gallery, columns)
        if heat:
            aspect = 12 * len(axes)
            bar = part.colorbar(ScalarMappable(cmap=HEAT), ax=axes, pad=0.02, aspect=aspect)
            bar.set_label("evidence (1 = the map's peak)", fontsize=8)
            bar.ax.tick_params(labelsize=7)
    return figure


def _draw(part: SubFigure, gallery: Gallery, columns: int) -> np.ndarray:
    part.suptitle(gallery.title, fontsize=11, parse_math=False)
    images = side_by_side(gallery.tiles)
    axes = part.subplots(-(-len(images) // columns), columns, squeeze=False)
    for cell in axes.flat:
        cell.set_axis_off()
    step = images.shape[2] / len(gallery.tiles)
    for cell, image, caption in zip(axes.flat, images, gallery.captions, strict=False):
        cell.imshow(image, interpolation="nearest")
        lines = [_shortened(line, _LETTERS * len(gallery.tiles)) for line in caption.splitlines()]
        title = "\n".join(lines)
        cell.set_title(title, fontsize=8, parse_math=False)  # a class may be called "$"
        for place, name in enumerate(gallery.names):
            middle, below = (place + 0.5) * step, 1.01 * images.shape[1]
            style = {"ha": "center", "va": "top", "fontsize": 7, "parse_math": False}
            cell.text(middle, below, name, **style)
    return axes


def _shortened(line: str, letters: int) -> str:
    return line if len(line) <= letters else f"{line[: letters - 1]}…"


def _height(gallery: Gallery, columns: int) -> float:
    _, height, width, _ = gallery.tiles[0].shape
    lines = max(caption.count("\n") + 1 for caption in gallery.captions)
    row = _TILE * height / width + _LINE * (lines + bool(gallery.names)) + 0.12
    return row * -(-len(gallery.captions) // columns) + 0.45


def _check(gallery: Gallery) -> None:
    shapes = {each.shape[:3] for each in gallery.tiles}
    fits = len(shapes) == 1 and all(
        each.ndim == 4 and each.shape[-1] in (1, 3) for each in gallery.tiles
    )
    if not fits or not len(gallery.captions) == len(gallery.tiles[0]) > 0:
        raise ValueError(
            "Expected at least one image, a caption for each, and tiles [N, H, W, 1 or 3] of one "
            f"size. Received: {len(gallery.captions)} captions, shapes "
            f"{[each.shape for each in gallery.tiles]}"
        )
