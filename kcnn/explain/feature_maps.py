"""What each stage of a model sees in an image: the output of its layers, channel by channel."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from kcnn.explain.inputs import check_model, image_batch
from kcnn.explain.layers import spatial_layer
from kcnn.explain.observation import parts
from kcnn.explain.trace import Call, hooked, recorded
from kcnn.models.interface import as_declared
from kcnn.pictures import HEAT, Figure, png_of, save_figure
from kcnn.tensorflow_only import check_tensorflow

_COLUMNS = 8


@dataclass(frozen=True, eq=False)
class FeatureMaps(Mapping[str, np.ndarray]):
    """The feature maps of N images by the name of the layer: float32 [N, h, w, channels] each.

    Attributes:
        images: [N, H, W, C], as they were given.
        maps: the maps by layer; the object itself reads like this mapping.

    >>> maps = np.zeros((1, 4, 4, 3), "float32")
    >>> maps[0, 1, 2, 0] = 5
    >>> seen = FeatureMaps(np.zeros((1, 8, 8, 3), "uint8"), {"relu": maps})
    >>> seen["relu"].max(), seen.silent("relu")
    (np.float32(5.0), [1, 2])
    """

    images: np.ndarray
    maps: Mapping[str, np.ndarray]

    def __eq__(self, other: object) -> bool:
        """Compare by identity: `Mapping` would ask arrays for one truth value."""
        return self is other

    def __hash__(self) -> int:
        """Hash by identity, as `__eq__` compares."""
        return id(self)

    def __getitem__(self, layer: str) -> np.ndarray:
        """Return the maps of a layer, float32 [N, h, w, channels]."""
        return self.maps[layer]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the layers' names."""
        return iter(self.maps)

    def __len__(self) -> int:
        """Return the number of layers."""
        return len(self.maps)

    def silent(self, layer: str, image: int | None = None) -> list[int]:
        """Return the channels of a layer that are zero everywhere.

        A channel that is silent in some hundred images of all classes is dead: after a ReLU it no
        longer has a gradient, and pruning can remove it.

        Args:
            layer: a name in this mapping.
            image: the index of one image; None for channels that are silent in all images.
        """
        maps = self.maps[layer] if image is None else self.maps[layer][[image]]
        return np.flatnonzero(~maps.any(axis=(0, 1, 2))).tolist()

    def plot(self, image: int = 0, *, channels: int | Sequence[int] = 16) -> Figure:
        """Draw the maps of one image, a block of channels for each layer.

        Each channel has its own scale, from zero to the value written above it. The colors go from
        black to yellow where nothing is negative, else from blue (negative) over white (zero) to
        red. A channel that is zero everywhere is crossed out, and its number is in the title.

        Args:
            image: the index of the image.
            channels: how many channels of each layer, from the first on; or their numbers. A layer
                shows those that it has, and is left out if it has none of them.

        Raises:
            ValueError: there is no such image, or nothing to draw.
        """
        if not 0 <= image < len(self.images):
            raise ValueError(
                f"Expected image from 0 to {len(self.images) - 1}. Received: {image!r}"
            )
        chosen = {name: _chosen(channels, maps.shape[-1]) for name, maps in self.items()}
        chosen = {name: numbers for name, numbers in chosen.items() if numbers}
        if not chosen:
            raise ValueError(f"Expected at least one channel of a layer. Received: {channels!r}")
        heights = [0.45 + 1.15 * -(-len(each) // _COLUMNS) for each in chosen.values()]
        size = (1.0 * _COLUMNS + 2.3, sum(heights) + 0.35)
        figure = Figure(figsize=size, dpi=130, layout="constrained")
        title = "Each channel on its own scale; above it, its number and largest value"
        figure.suptitle(title, fontsize=10)
        left, right = figure.subfigures(1, 2, width_ratios=[2.1, _COLUMNS], squeeze=False)[0]
        _draw_image(left, self.images[image], f"image {image}")
        blocks = right.subfigures(len(chosen), 1, height_ratios=heights, squeeze=False)[:, 0]
        for block, (name, numbers) in zip(blocks, chosen.items(), strict=True):
            title = _title(name, self[name].shape[1:], self.silent(name, image))
            block.suptitle(title, fontsize=9, x=0.01, ha="left", parse_math=False)
            _draw_channels(block, self[name][image], numbers)
        return figure

    def save(
        self, path: str | os.PathLike, image: int = 0, *, channels: int | Sequence[int] = 16
    ) -> None:
        """Write `plot(image, channels=channels)` to a picture file; its suffix names the format."""
        save_figure(self.plot(image, channels=channels), path)

    def _repr_png_(self) -> bytes:
        return png_of(self.plot())


def feature_maps(
    model: keras.Model, images: np.ndarray, *, layers: str | Sequence[str] | None = None
) -> FeatureMaps:
    """Return what the stages of a model see in images: how each layer's channels answer.

    Use it to see what is computed on the way to an answer: edges and colors first, then parts, and
    at the end a few coarse spots that stand for a class (Zeiler and Fergus 2013,
    https://arxiv.org/abs/1311.2901). A channel shows where something is, not what it is: for that
    see `kcnn.explain.maximize` and `kcnn.explain.grad_cam`. Any Keras model of one image works,
    also one without a head. The model is not changed.

    Args:
        model: a built model with one image input.
        images: [N, H, W, C] or [H, W, C], uint8 or float, in the range that the model takes.
        layers: the names of layers whose output is spatial; "backbone/relu" for a layer inside a
            nested model. By default the last map at each resolution, which is what a stage gives
            after its normalization and activation.

    Raises:
        ValueError: an argument does not fit the model, or a map is not finite.

    >>> model = keras.Sequential([
    ...     keras.Input((32, 32, 3)),
    ...     keras.layers.Conv2D(8, 3, activation="relu", padding="same", name="fine"),
    ...     keras.layers.MaxPooling2D(),
    ...     keras.layers.Conv2D(4, 3, activation="relu", padding="same", name="coarse"),
    ... ])
    >>> seen = feature_maps(model, np.full((2, 32, 32, 3), 9, "uint8"))
    >>> {name: maps.shape for name, maps in seen.items()}
    {'fine': (2, 32, 32, 8), 'coarse': (2, 16, 16, 4)}
    """
    check_tensorflow("Feature maps are read")
    check_model(model)
    images = image_batch(images, model)
    with recorded(model) as calls:
        _run(model, images[:1])
    if layers is None:
        names = _stages(calls)
    else:
        wanted = [layers] if isinstance(layers, str) else layers
        names = list(dict.fromkeys(spatial_layer(calls, layer) for layer in wanted))
    if not names:
        raise ValueError(f"Expected the name of at least one layer. Received: layers={layers!r}")
    operations = {name: calls[name].operation for name in names}
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for part in parts(images):
        last: dict[str, Any] = {}  # a layer used twice stands for its last use
        with hooked(operations, last.__setitem__):
            _run(model, images[part])
        for name in names:
            found[name].append(tf.cast(last[name], "float32").numpy())
    maps = {name: np.concatenate(each) for name, each in found.items()}
    for name, each in maps.items():
        if not np.isfinite(each).all():
            raise ValueError(
                f"Layer {name!r} gives NaNs or infinities: its weights or the images hold some."
            )
    return FeatureMaps(images, maps)


def _run(model: keras.Model, images: np.ndarray) -> None:
    model(as_declared(model, tf.convert_to_tensor(images, "float32")), training=False)


def _stages(calls: Mapping[str, Call]) -> list[str]:
    """Return the names of the last feature map at each resolution, in order of computation."""
    names = [spatial_layer(calls)]
    rest = dict(calls)
    with suppress(ValueError):  # no feature map is left
        while True:
            seen = tuple(calls[names[-1]].output.shape[1:3])
            rest = {n: c for n, c in rest.items() if _size(c.output) != seen}
            names.append(spatial_layer(rest))
    return sorted(names, key=list(calls).index)


def _size(output: Any) -> tuple[int, ...]:
    return tuple(getattr(output, "shape", ())[1:3])


def _chosen(channels: int | Sequence[int], count: int) -> list[int]:
    wanted = range(channels) if isinstance(channels, int) else channels
    return [channel for channel in wanted if 0 <= channel < count]


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
    if peak == 0:
        cell.set_box_aspect(values.shape[0] / values.shape[1])
        cell.set_facecolor("0.9")
        cell.plot([0, 1, 0.5, 0, 1], [0, 1, 0.5, 1, 0], color="0.6", transform=cell.transAxes)
        return
    low, colors = (-peak, "RdBu_r") if signed else (0, HEAT)
    cell.imshow(values, cmap=colors, vmin=low, vmax=peak, interpolation="nearest")
