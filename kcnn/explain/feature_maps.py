"""What each stage of a model sees in an image: the output of its layers, channel by channel."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kcnn.explain.inputs import ANY_RANK, check_model, image_batch
from kcnn.explain.layers import spatial_layer
from kcnn.explain.map_plots import plot_maps
from kcnn.explain.observation import parts
from kcnn.explain.trace import Call, hooked, recorded
from kcnn.models.interface import as_declared
from kcnn.pictures import Figure, png_of, save_figure
from kcnn.tensorflow_only import check_tensorflow


@dataclass(frozen=True, eq=False)
class FeatureMaps(Mapping[str, np.ndarray]):
    """The feature maps of N images by the name of the layer: float32 [N, h, w, channels] each.

    Those of series are [N, steps, channels], of voxels [N, depth, h, w, channels].

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
        return np.flatnonzero(~maps.any(axis=tuple(range(maps.ndim - 1)))).tolist()

    def plot(self, image: int = 0, *, channels: int | Sequence[int] = 16) -> Figure:
        """Draw the maps of one image, a block of channels for each layer.

        Each channel has its own scale, from zero to the value written above it. The colors go from
        black to yellow where nothing is negative, else from blue (negative) over white (zero) to
        red. A channel that is zero everywhere is crossed out, and its number is in the title. Those
        of series are lines, and of voxels the slice at half the depth.

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
        maps = {name: self[name][image] for name in chosen}
        silent = {name: self.silent(name, image) for name in chosen}
        return plot_maps(self.images[image], image, maps, chosen, silent)

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
        model: a built model with one input: images, series or voxels.
        images: [N, H, W, C] or [H, W, C], uint8 or float, in the range that the model takes; of a
            model of series [N, steps, C], of voxels [N, depth, H, W, C].
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
    check_model(model, ranks=ANY_RANK)
    images = image_batch(images, model)
    rank = images.ndim - 2
    with recorded(model) as calls:
        _run(model, images[:1])
    if layers is None:
        names = _stages(calls, rank)
    else:
        wanted = [layers] if isinstance(layers, str) else layers
        names = list(dict.fromkeys(spatial_layer(calls, layer, rank=rank) for layer in wanted))
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


def _stages(calls: Mapping[str, Call], rank: int) -> list[str]:
    """Return the names of the last feature map at each resolution, in order of computation."""
    names = [spatial_layer(calls, rank=rank)]
    rest = dict(calls)
    with suppress(ValueError):  # no feature map is left
        while True:
            seen = _size(calls[names[-1]].output, rank)
            rest = {n: c for n, c in rest.items() if _size(c.output, rank) != seen}
            names.append(spatial_layer(rest, rank=rank))
    return sorted(names, key=list(calls).index)


def _size(output: Any, rank: int) -> tuple[int, ...]:
    return tuple(getattr(output, "shape", ())[1 : rank + 1])


def _chosen(channels: int | Sequence[int], count: int) -> list[int]:
    wanted = range(channels) if isinstance(channels, int) else channels
    return [channel for channel in wanted if 0 <= channel < count]
