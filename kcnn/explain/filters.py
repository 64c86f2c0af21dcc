"""What convolutions look for: pictures of their kernels, and the vertical edge as an example."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kcnn.explain.inputs import check_model
from kcnn.explain.layers import full_name
from kcnn.explain.trace import operations
from kcnn.pictures import save_figure

VERTICAL_EDGE: tuple[tuple[int, ...], ...] = ((1, 0, -1),) * 3
LUMA = np.array([0.299, 0.587, 0.114], "float32")  # of red, green and blue, by ITU-R BT.601

_SIGNED = "RdBu_r"  # even in lightness on both sides of its white zero
_COLUMNS = 8


@dataclass(frozen=True, eq=False)
class Filters:
    """The filters of one convolution.

    Attributes:
        kernels: float32 [kh, kw, in, out], as Keras lays a `Conv2D`'s kernel out. Of a grouped
            convolution, `in` are the channels of one group; of a depthwise one it is 1.
        layer: the name of the convolution.

    >>> kernels = np.zeros((3, 3, 3, 16), "float32")
    >>> Filters(kernels, "conv").is_rgb
    True
    """

    kernels: np.ndarray
    layer: str

    @property
    def is_rgb(self) -> bool:
        """Whether each filter has three input channels, and so can be drawn as a color picture."""
        return self.kernels.shape[2] == 3

    def plot(self, filters: int = 32, channels: int = 16) -> Figure:
        """Return a picture of the filters, from the first on.

        With three input channels each filter is a color picture on its own scale: gray is zero,
        and the value above it is what full brightness or black stands for; a color is that of the
        pixels which the filter answers to. Otherwise each filter is a column of its input
        channels' weights: red positive, blue negative, white zero, on one scale for all.

        Args:
            filters: how many at most.
            channels: how many input channels at most, where the filters are drawn by channel.

        Raises:
            ValueError: one of the numbers is not at least 1.
        """
        if filters < 1 or channels < 1:
            raise ValueError(
                "Expected at least 1 filter and 1 channel. Received: "
                f"filters={filters!r}, channels={channels!r}"
            )
        figure = self._pictures(filters) if self.is_rgb else self._columns(filters, channels)
        height, width, depth, count = self.kernels.shape
        shown = f", the first {filters} of them" if count > filters else ""
        title = f"{self.layer}: {count} filters of {height} x {width} x {depth}{shown}"
        figure.suptitle(title, fontsize=10, parse_math=False)
        return figure

    def save(self, path: str | os.PathLike, filters: int = 32, channels: int = 16) -> None:
        """Write `plot(filters, channels)` to a picture file; its suffix names the format."""
        save_figure(self.plot(filters, channels), path)

    def _pictures(self, filters: int) -> Figure:
        kernels = np.moveaxis(self.kernels[..., :filters], -1, 0)
        rows = -(-len(kernels) // _COLUMNS)
        figure = Figure(figsize=(_COLUMNS, 1.2 * rows + 0.4), dpi=130, layout="constrained")
        cells = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for cell in cells:
            cell.set_axis_off()
        for number, (cell, kernel) in enumerate(zip(cells, kernels, strict=False)):
            peak = np.abs(kernel).max()
            cell.imshow(0.5 + kernel / (2 * peak or 1), interpolation="nearest")
            value = f"±{peak:.2g}" if peak else "zero"
            cell.set_title(f"{number}: {value}", fontsize=7, pad=2)
        return figure

    def _columns(self, filters: int, channels: int) -> Figure:
        kernels = self.kernels[:, :, :channels, :filters]
        height, width, depth, count = kernels.shape
        # One pixel between kernels, of no value and so of no color.
        mosaic = np.full((depth, height + 1, count, width + 1), np.nan, "float32")
        mosaic[:, :height, :, :width] = kernels.transpose(2, 0, 3, 1)
        mosaic = mosaic.reshape(depth * (height + 1), count * (width + 1))[:-1, :-1]
        size = (0.26 * count + 2.3, 0.26 * depth * height / width + 1.0)
        figure = Figure(figsize=np.maximum(size, (4.5, 1.6)), dpi=150, layout="constrained")
        cell = figure.subplots()
        peak = np.abs(kernels).max() or 1.0
        _draw_signed(cell, mosaic, peak)
        cell.set_xticks((width - 1) / 2 + (width + 1) * np.arange(count), range(count))
        cell.set_yticks((height - 1) / 2 + (height + 1) * np.arange(depth), range(depth))
        cell.tick_params(labelsize=6, length=0)
        cell.set_xlabel("filter", fontsize=8)
        total = self.kernels.shape[2]
        of = f" (of {total})" if total > depth else ""
        cell.set_ylabel(f"input channel{of}", fontsize=8)
        cell.set_frame_on(False)
        bar = figure.colorbar(cell.images[0], ax=cell, pad=0.01, aspect=25)
        bar.set_label("weight", fontsize=8)
        bar.ax.tick_params(labelsize=7)
        return figure


def filters(model: keras.Model, layer: str | None = None) -> Filters:
    """Return the filters of a convolution of a model: what it looks for in its input.

    Use it on the first layer, whose filters are small color pictures: edges, bars and patches of
    color in a trained network, noise in one that was not trained (Krizhevsky et al. 2012, figure
    3, https://papers.nips.cc/paper/4824). Deeper filters see channels, no colors, and say little
    by themselves; look at `feature_maps` there.

    Args:
        model: a built model with one image input; it is left as it was.
        layer: the name of a `Conv2D` or `DepthwiseConv2D`, "backbone/conv" where it is inside a
            nested model. Defaults to the first.

    Raises:
        ValueError: the model has no convolution, or none of this name.

    >>> image = keras.Input((32, 32, 3))
    >>> model = keras.Model(image, keras.layers.Conv2D(16, 5, name="conv")(image))
    >>> seen = filters(model)
    >>> seen.layer, seen.kernels.shape
    ('conv', (5, 5, 3, 16))
    """
    check_model(model)
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    found = {n: o for n, o in operations(model).items() if isinstance(o, kinds)}
    name = _named(layer, found, model)
    kernel = keras.ops.convert_to_numpy(found[name].kernel).astype("float32")
    if isinstance(found[name], keras.layers.DepthwiseConv2D):
        kernel = kernel.reshape(*kernel.shape[:2], 1, -1)  # each filter has one channel of its own
    return Filters(kernel, name)


def _named(layer: str | None, found: Mapping[str, keras.Operation], model: keras.Model) -> str:
    if not found:
        raise ValueError(f"Model {model.name!r} has no Conv2D or DepthwiseConv2D layer.")
    if layer is None:
        return next(iter(found))
    return full_name(layer, found, "convolution", found)


def edge_response(image: np.ndarray) -> np.ndarray:
    """Return the answer of the vertical edge filter `[[1, 0, -1]] * 3` to an image.

    It is the plainest filter there is: at each pixel, three pixels of the column to the left less
    three of the column to the right. So it is positive where the left is brighter than the right,
    negative where the right is brighter, and zero on plain areas and along horizontal edges. The
    sum is a cross-correlation, as Keras's `Conv2D` computes it; the convolution of mathematics
    turns the filter around first, which here would change the sign and nothing else.

    Args:
        image: [H, W] or [H, W, 1 or 3], numbers of any range; of colors, the brightness (luma of
            ITU-R BT.601) is taken. At least 3x3 pixels.

    Returns:
        float32 [H - 2, W - 2], of images of 0-255 from -765 to 765.

    Raises:
        ValueError: the image has another shape.

    >>> edge_response(np.array([[9, 9, 0, 0]] * 3))  # bright on the left
    array([[27., 27.]], dtype=float32)
    """
    image = np.asarray(image, "float32")
    fits = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3))
    if not fits or min(image.shape[:2]) < 3:
        raise ValueError(
            "Expected an image [H, W] or [H, W, 1 or 3] of at least 3x3 pixels. Received: shape "
            f"{image.shape}"
        )
    if image.ndim == 3:
        image = image @ (LUMA if image.shape[2] == 3 else np.ones(1, "float32"))
    kernel = np.array(VERTICAL_EDGE, "float32")
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return np.einsum("hwij,ij->hw", windows, kernel)


def plot_edge_response(image: np.ndarray) -> Figure:
    """Return a picture of an image, the vertical edge filter, and the filter's signed answer.

    Args:
        image: as `edge_response` takes it, 0-255.

    Raises:
        ValueError: the image has another shape or range.
    """
    image = np.asarray(image)
    response = edge_response(image)
    if not (image.min() >= 0 and image.max() <= 255):
        raise ValueError(
            f"Expected an image of 0-255. Received: from {image.min()} to {image.max()}"
        )
    figure = Figure(figsize=(8.6, 3.2), dpi=130, layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1, 0.55, 1.25])
    picture = np.rint(image).astype("uint8")
    left.imshow(picture, cmap=None if picture.shape[2:] == (3,) else "gray", vmin=0, vmax=255)
    left.set_title("image", fontsize=10)
    _draw_signed(middle, np.array(VERTICAL_EDGE), 2)  # pale enough for numbers
    for (row, column), value in np.ndenumerate(np.array(VERTICAL_EDGE)):
        middle.text(column, row, f"{value}", ha="center", va="center", fontsize=11)
    middle.set_title("vertical edge filter", fontsize=10)
    peak = np.abs(response).max() or 1.0
    _draw_signed(right, response, peak)
    right.set_title("its response", fontsize=10)
    bar = figure.colorbar(right.images[0], ax=right, shrink=0.8)
    bar.set_label("blue: right brighter, red: left brighter", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    for cell in (left, middle, right):
        cell.set_xticks([])
        cell.set_yticks([])
    return figure


def _draw_signed(cell: Axes, values: np.ndarray, peak: float) -> None:
    cell.imshow(values, cmap=_SIGNED, vmin=-peak, vmax=peak, interpolation="nearest")
