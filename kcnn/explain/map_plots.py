"""Feature maps, drawn channel by channel beside their image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from kcnn.pictures import HEAT, Figure

_COLUMNS = 8


def plot_maps(
    image: np.ndarray,
    number: int,
    maps: Mapping[str, np.ndarray],
    chosen: Mapping[str, Sequence[int]],
    silent: Mapping[str, Sequence[int]],
) -> Figure:
    """Draw channels of the maps of one image, a block for each layer; see `FeatureMaps.plot`.

    Args:
        image: [H, W, C], [steps, C] or [depth, H, W, C].
        number: what the title calls it.
        maps: [h, w, channels] by layer; of series and voxels with one or three axes.
        chosen: the channels to draw, by layer.
        silent: the channels that are zero everywhere, by layer.
    """
    heights = [0.45 + 1.15 * -(-len(each) // _COLUMNS) for each in chosen.values()]
    size = (1.0 * _COLUMNS + 2.3, sum(heights) + 0.35)
    figure = Figure(figsize=size, dpi=130, layout="constrained")
    title = "Each channel on its own scale; above it, its number and largest value"
    figure.suptitle(title, fontsize=10)
    left, right = figure.subfigures(1, 2, width_ratios=[2.1, _COLUMNS], squeeze=False)[0]
    _draw_image(left, image, f"image {number}")
    blocks = right.subfigures(len(chosen), 1, height_ratios=heights, squeeze=False)[:, 0]
    for block, (name, numbers) in zip(blocks, chosen.items(), strict=True):
        title = _title(name, maps[name].shape, silent[name])
        block.suptitle(title, fontsize=9, x=0.01, ha="left", parse_math=False)
        _draw_channels(block, maps[name], numbers)
    return figure


def _title(layer: str, shape: tuple[int, ...], silent: Sequence[int]) -> str:
    title = f"{layer}: {' x '.join(map(str, shape))}"
    if not silent:
        return title
    named = ", ".join(map(str, silent[:12])) + (", ..." if len(silent) > 12 else "")
    return f"{title}; {len(silent)} of {shape[-1]} channels all zero: {named}"


def _draw_image(part: SubFigure, image: np.ndarray, title: str) -> None:
    cell = part.subplots()
    cell.set_axis_off()
    cell.set_anchor("N")
    cell.set_title(f"{title}: {' x '.join(map(str, image.shape))}", fontsize=9)
    if image.ndim == 2:
        cell.plot(image, linewidth=0.8)
        return
    image = _middle(image)
    if image.shape[-1] not in (1, 3):
        image = image.mean(axis=-1, keepdims=True)  # many bands: their mean
    low, high = image.min(), image.max()
    if not (low >= 0 and 1 < high <= 255):  # another range: stretched to 0-255
        image = 255 * (image - low) / max(high - low, 1e-12)
    cell.imshow(np.broadcast_to(np.rint(image), (*image.shape[:2], 3)).astype("uint8"))


def _draw_channels(part: SubFigure, maps: np.ndarray, channels: Sequence[int]) -> None:
    rows = -(-len(channels) // _COLUMNS)
    cells = part.subplots(rows, _COLUMNS, squeeze=False).ravel()
    signed = maps.min() < 0
    for cell, channel in zip(cells, channels, strict=False):
        _draw_channel(cell, maps[..., channel], channel, signed)
    for cell in cells[len(channels) :]:
        cell.set_axis_off()


def _draw_channel(cell: Axes, values: np.ndarray, channel: int, signed: bool) -> None:
    cell.set_xticks([])
    cell.set_yticks([])
    peak = np.abs(values).max()
    cell.set_title(f"{channel}: {peak:.2g}", fontsize=7, pad=2)
    values = _middle(values[..., None])[..., 0]
    if peak == 0:
        if values.ndim == 2:
            cell.set_box_aspect(values.shape[0] / values.shape[1])
        cell.set_facecolor("0.9")
        cell.plot([0, 1, 0.5, 0, 1], [0, 1, 0.5, 1, 0], color="0.6", transform=cell.transAxes)
        return
    if values.ndim == 1:
        cell.plot(values, color="black", linewidth=0.8)
        cell.set_ylim(-peak if signed else 0, peak)
        return
    low, colors = (-peak, "RdBu_r") if signed else (0, HEAT)
    cell.imshow(values, cmap=colors, vmin=low, vmax=peak, interpolation="nearest")


def _middle(values: Any) -> Any:
    """Return the slice at half the depth of voxels [depth, h, w, C]; others as they are."""
    return values[len(values) // 2] if values.ndim == 4 else values
