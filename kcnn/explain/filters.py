"""What convolutions look for: pictures of their kernels, and a vertical edge as an example."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
from matplotlib.axes import Axes

from kcnn.checks import check_count
from kcnn.color import LUMA
from kcnn.explain.inputs import check_model
from kcnn.explain.layers import full_name
from kcnn.explain.trace import operations
from kcnn.pictures import Figure, png_of, save_figure

VERTICAL_EDGE: tuple[tuple[int, ...], ...] = ((1, 0, -1),) * 3

_SIGNED = "RdBu_r"  # equally light on both sides of its white zero
_COLUMNS = 8

_PLAIN = (keras.layers.Conv2D, keras.layers.Conv1D)
_DEPTHWISE = (keras.layers.DepthwiseConv2D, keras.layers.DepthwiseConv1D)


@dataclass(frozen=True, eq=False)
class Filters:
    """The filters of one convolution.

    Attributes:
        kernels: float32 [kh, kw, in, out], the layout of a Keras `Conv2D`; of series
            [steps, in, out], that of a `Conv1D`. For a grouped convolution `in` counts the channels
            of one group, for a depthwise one it is 1.
        layer: the name of the convolution.

    >>> kernels = np.zeros((3, 3, 3, 16), "float32")
    >>> Filters(kernels, "conv").is_rgb
    True
    """

    kernels: np.ndarray
    layer: str

    @property
    def is_rgb(self) -> bool:
        """Whether each filter sees three channels of images, so that it can be drawn in color."""
        return self.kernels.ndim == 4 and self.kernels.shape[2] == 3

    def plot(self, *, filters: int = 32, channels: int = 16) -> Figure:
        """Draw the filters, from the first on.

        With three input channels each filter is a color picture on its own scale: gray is zero,
        and full brightness or black is the value written above it. A filter answers to pixels of
        the colors that it shows. Otherwise each filter is a column of its input channels' weights:
        red positive, blue negative, white zero, on one scale for all.

        Args:
            filters: the largest number of filters to draw.
            channels: the largest number of input channels to draw, where each is drawn by itself.

        Raises:
            ValueError: one of the numbers is not an integer of at least 1.
        """
        check_count("filters", filters)
        check_count("channels", channels)
        figure = self._pictures(filters) if self.is_rgb else self._columns(filters, channels)
        *size, count = self.kernels.shape
        shown = f", the first {filters} of them" if count > filters else ""
        title = f"{self.layer}: {count} filters of {' x '.join(map(str, size))}{shown}"
        figure.suptitle(title, fontsize=10, parse_math=False)
        return figure

    def save(self, path: str | os.PathLike, *, filters: int = 32, channels: int = 16) -> None:
        """Write `plot` with these numbers to a picture file; its suffix names the format."""
        save_figure(self.plot(filters=filters, channels=channels), path)

    def _repr_png_(self) -> bytes:
        return png_of(self.plot())

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
        # The steps of a series are the pixels of a row.
        kernels = self.kernels if self.kernels.ndim == 4 else self.kernels[None]
        kernels = kernels[:, :, :channels, :filters]
        height, width, depth, count = kernels.shape
        # One pixel without a value, and so without a color, between two kernels.
        mosaic = np.full((depth, height + 1, count, width + 1), np.nan, "float32")
        mosaic[:, :height, :, :width] = kernels.transpose(2, 0, 3, 1)
        mosaic = mosaic.reshape(depth * (height + 1), count * (width + 1))[:-1, :-1]
        size = max(0.26 * count + 2.3, 4.5), max(0.26 * depth * height / width + 1.0, 1.6)
        figure = Figure(figsize=size, dpi=150, layout="constrained")
        cell = figure.subplots()
        peak = np.abs(kernels).max() or 1.0
        _draw_signed(cell, mosaic, peak)
        cell.set_xticks((width - 1) / 2 + (width + 1) * np.arange(count), _numbers(count))
        cell.set_yticks((height - 1) / 2 + (height + 1) * np.arange(depth), _numbers(depth))
        cell.tick_params(labelsize=6, length=0)
        cell.set_xlabel("filter", fontsize=8)
        total = self.kernels.shape[-2]
        of = f" (of {total})" if total > depth else ""
        cell.set_ylabel(f"input channel{of}", fontsize=8)
        cell.set_frame_on(False)
        bar = figure.colorbar(cell.images[0], ax=cell, pad=0.01, aspect=25)
        bar.set_label("weight", fontsize=8)
        bar.ax.tick_params(labelsize=7)
        return figure


def filters(model: keras.Model, *, layer: str | None = None) -> Filters:
    """Return the filters of a convolution of a model: what it looks for in its input.

    Use it on the first layer, whose filters are small color pictures: edges, bars and patches of
    color in a trained network, noise in an untrained one (Krizhevsky et al. 2012, figure 3,
    https://papers.nips.cc/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html). Deeper
    filters see channels, not colors, and say little by themselves; look at `feature_maps` there.

    Args:
        model: a built model of images or series. It is not changed.
        layer: the name of a `Conv2D` or `DepthwiseConv2D`, of series a `Conv1D` or
            `DepthwiseConv1D`; "backbone/conv" for one inside a nested model. Defaults to the first
            convolution.

    Raises:
        ValueError: the model has no convolution, or none of this name.

    >>> image = keras.Input((32, 32, 3))
    >>> model = keras.Model(image, keras.layers.Conv2D(16, 5, name="conv")(image))
    >>> seen = filters(model)
    >>> seen.layer, seen.kernels.shape
    ('conv', (5, 5, 3, 16))
    """
    check_model(model, ranks=(1, 2))
    found = {n: o for n, o in operations(model).items() if isinstance(o, (*_PLAIN, *_DEPTHWISE))}
    name = _named(layer, found, model)
    kernel = np.asarray(keras.ops.convert_to_numpy(found[name].kernel), "float32")
    if isinstance(found[name], _DEPTHWISE):
        kernel = kernel.reshape(*kernel.shape[:-2], 1, -1)  # each filter has one input channel
    return Filters(kernel, name)


def _named(layer: str | None, found: Mapping[str, keras.Operation], model: keras.Model) -> str:
    if not found:
        known = ", ".join(kind.__name__ for kind in (*_PLAIN, *_DEPTHWISE))
        raise ValueError(f"Model {model.name!r} has none of the layers {known}.")
    if layer is None:
        return next(iter(found))
    return full_name(layer, found, "convolution", found)


def edge_response(image: np.ndarray) -> np.ndarray:
    """Return the answer of the vertical edge filter `[[1, 0, -1]] * 3` to an image.

    The filter subtracts, at each pixel, the three pixels of the column to the right from the three
    of the column to the left. The answer is positive where the left is brighter, negative where the
    right is brighter, and zero on plain areas and along horizontal edges. The sum is a
    cross-correlation, as in Keras's `Conv2D`; the convolution of mathematics turns the filter
    around first, which here changes only the sign.

    Args:
        image: [H, W] or [H, W, 1 or 3], numbers of any range, at least 3x3 pixels. Colors are
            converted to brightness (luma of ITU-R BT.601).

    Returns:
        float32 [H - 2, W - 2]; from -765 to 765 for an image of 0-255.

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
        image = image @ np.array(LUMA if image.shape[2] == 3 else [1], "float32")
    kernel = np.array(VERTICAL_EDGE, "float32")
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return np.einsum("hwij,ij->hw", windows, kernel)


def plot_edge_response(image: np.ndarray) -> Figure:
    """Draw an image, the vertical edge filter, and the filter's signed answer.

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


def _numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def _draw_signed(cell: Axes, values: np.ndarray, peak: float) -> None:
    cell.imshow(values, cmap=_SIGNED, vmin=-peak, vmax=peak, interpolation="nearest")
