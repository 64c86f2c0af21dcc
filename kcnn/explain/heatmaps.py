"""Heat maps of images: their numbers, and how they are drawn."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib.cm import ScalarMappable
from matplotlib.layout_engine import ConstrainedLayoutEngine

from kcnn.explain.methods import METHODS
from kcnn.explain.value_plots import plot_values
from kcnn.pictures import HEAT, Figure, png_of, save_figure, side_by_side


@dataclass(frozen=True, eq=False)
class Heatmaps:
    """Where the evidence for a class lies in each of N images, series or voxels.

    Attributes:
        raw: float32 [N, h, w], of series [N, steps] and of voxels [N, depth, h, w], zero or
            positive, at the layer's resolution. Values compare between
            images. Those of "cam", "gradcam" and "hirescam" are in units of the logit: after global
            average pooling, a map adds up to the logit minus its bias, unless there was evidence
            against the class.
        class_index: int [N], the class that each map explains; or [N, 2], that class and the one
            that it is compared with.
        score: float32 [N], the model's logit of that class, or the difference of the two logits.
        layer: the name of the layer whose output was explained.
        method: the key of the method in `kcnn.explain.METHODS`.
        images: those that were explained, which `plot` draws if none are passed; None if unknown.

    >>> heatmaps = Heatmaps(
    ...     raw=np.array([[[0.0, 2.0]], [[0.0, 0.0]]], "float32"),
    ...     class_index=np.array([3, 5]),
    ...     score=np.array([4.2, -1.0], "float32"),
    ...     layer="relu",
    ... )
    >>> heatmaps.normalized[0], heatmaps.is_empty
    (array([[0., 1.]], dtype=float32), array([False,  True]))
    >>> heatmaps.overlay(np.zeros((2, 8, 8, 3), "uint8")).shape
    (2, 8, 8, 3)
    """

    raw: np.ndarray
    class_index: np.ndarray
    score: np.ndarray
    layer: str
    method: str = "gradcam"
    images: np.ndarray | None = field(default=None, repr=False)

    @property
    def is_empty(self) -> np.ndarray:
        """Bool [N]: the map is zero everywhere, since nothing in the image speaks for the class."""
        return np.logical_not(self.raw.any(axis=self._axes))

    @property
    def normalized(self) -> np.ndarray:
        """Float32, 0-1: each map divided by its own maximum; an empty map stays zero."""
        peaks = self.raw.max(axis=self._axes, keepdims=True)
        return self.raw / np.where(peaks > 0, peaks, 1)

    @property
    def coverage(self) -> np.ndarray:
        """Float [N], 0-1: the share of the map that is above half of its maximum.

        It is small where the evidence lies in one spot, large where it is spread over the image,
        and zero for an empty map.
        """
        return (self.normalized > 0.5).mean(axis=self._axes)

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(1, self.raw.ndim))

    def overlay(self, images: np.ndarray, *, alpha: float = 0.5) -> np.ndarray:
        """Return the images with their heat maps over them, uint8 RGB [N, H, W, 3].

        An empty map leaves its image unchanged, so that it does not look like weak evidence.

        Args:
            images: [N, H, W, C] or [H, W, C], 0-255, uint8 or float, with 1 or 3 channels.
            alpha: the opacity of the heat map, 0-1.

        Raises:
            ValueError: the images or `alpha` have the wrong shape or range.
        """
        if not 0 <= alpha <= 1:
            raise ValueError(f"Expected alpha from 0 to 1. Received: {alpha!r}")
        if self.raw.ndim != 3:
            raise ValueError(
                "Heat maps are laid over images; those of series and voxels are drawn by plot(). "
                f"Received: maps of shape {self.raw.shape}"
            )
        images = _rgb(images, len(self.raw)).astype("float32")
        heat = tf.image.resize(self.normalized[..., None], images.shape[1:3]).numpy()[..., 0]
        colors = 255 * matplotlib.colormaps[HEAT](heat)[..., :3]
        share = np.where(self.is_empty, 0.0, alpha)[:, None, None, None]
        return np.rint(share * colors + (1 - share) * images).astype("uint8")

    def plot(self, images: np.ndarray | None = None, titles: Sequence[str] | None = None) -> Figure:
        """Draw a grid of the images, each beside a copy of itself under its heat map.

        A series is drawn as lines before its heat map. Of voxels three slices are drawn, through
        the place with the most evidence.

        Args:
            images: as `overlay` takes them; those that were explained if not given.
            titles: one per image, for example its true and its predicted class. Defaults to the
                index and the logit of the explained class.

        Raises:
            ValueError: the images or the number of titles do not fit the maps.
        """
        if images is None:
            images = self._own_images()
        if self.raw.ndim != 3:
            titles = self._titles(titles)
            return plot_values(np.asarray(images), self.normalized, titles, self._title())
        images = _rgb(images, len(self.raw))
        pairs = side_by_side([images, self.overlay(images)])
        titles = self._titles(titles)
        columns = min(len(pairs), 4)
        rows = -(-len(pairs) // columns)
        lines = max(title.count("\n") + 1 for title in titles)
        height = 3.0 * pairs.shape[1] / pairs.shape[2] + 0.17 * lines + 0.15  # inches, of a row
        width, height = 3.2 * columns + 0.8, height * rows + (0.6 if columns == 1 else 0.4)
        figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
        cast("ConstrainedLayoutEngine", figure.get_layout_engine()).set(wspace=0.06)
        axes = figure.subplots(rows, columns, squeeze=False)
        for cell in axes.flat:
            cell.set_axis_off()
        for cell, pair, title in zip(axes.flat, pairs, titles, strict=False):
            cell.imshow(pair, interpolation="auto")
            cell.set_title(title, fontsize=9, parse_math=False)
        bar = figure.colorbar(ScalarMappable(cmap=HEAT), ax=axes, aspect=12 * rows, pad=0.02)
        bar.set_label("evidence for the class\n(1 = the map's own peak)", fontsize=9)
        bar.ax.tick_params(labelsize=8)
        # Above a single picture, a nested layer's long name needs a line of its own.
        title = self._title("\n" if columns == 1 else " ")
        figure.suptitle(title, fontsize=11, parse_math=False)
        return figure

    def save(
        self,
        path: str | os.PathLike,
        images: np.ndarray | None = None,
        titles: Sequence[str] | None = None,
    ) -> None:
        """Write `plot(images, titles)` to a picture file; its suffix names the format."""
        save_figure(self.plot(images, titles), path)

    def _title(self, space: str = " ") -> str:
        return f"{METHODS[self.method].title}{space}at layer {self.layer!r}"

    def _own_images(self) -> np.ndarray:
        if self.images is None:
            raise ValueError("These heat maps do not know their images: pass images=.")
        return self.images

    def _repr_png_(self) -> bytes | None:
        try:
            return png_of(self.plot())
        except ValueError:  # no images, or none of 0-255: a notebook then shows the text
            return None

    def _titles(self, titles: Sequence[str] | None) -> list[str]:
        if titles is None:
            titles = [_title(*each) for each in zip(self.class_index, self.score, strict=True)]
        if len(titles) != len(self.raw):
            raise ValueError(f"Expected {len(self.raw)} titles. Received: {len(titles)}")
        notes = np.where(self.is_empty, "\n(no positive evidence)", "")
        return [f"{title}{note}" for title, note in zip(titles, notes, strict=True)]


def _title(class_index: np.ndarray, score: float) -> str:
    if np.ndim(class_index):
        return f"class {class_index[0]} rather than {class_index[1]}\nlogits differ by {score:.2f}"
    return f"class {class_index}, logit {score:.2f}"


def _rgb(images: np.ndarray, count: int) -> np.ndarray:
    """Return the images as uint8 [N, H, W, 3]."""
    images = np.asarray(images)
    images = images[None] if images.ndim == 3 else images
    if images.ndim != 4 or len(images) != count or images.shape[-1] not in (1, 3):
        raise ValueError(
            f"Expected {count} images of shape [N, H, W, 1 or 3]. Received: shape {images.shape}"
        )
    low, high = images.min(), images.max()
    if not (0 <= low and high <= 255) or (images.dtype.kind == "f" and 0 < high <= 1):
        raise ValueError(f"Expected images of 0-255. Received: values from {low} to {high}")
    return np.broadcast_to(np.rint(images).astype("uint8"), (*images.shape[:3], 3))
