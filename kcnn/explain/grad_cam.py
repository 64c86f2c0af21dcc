"""Grad-CAM and related methods: where in an image the evidence for a class lies."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np

from kcnn.errors import unknown
from kcnn.explain.heads import logits, static_shape
from kcnn.explain.heatmaps import Heatmaps
from kcnn.explain.inputs import ANY_RANK, check_model, image_batch
from kcnn.explain.layers import spatial_layer
from kcnn.explain.methods import METHODS
from kcnn.explain.observation import Site, observe, parts, site
from kcnn.explain.paths import on_every_path
from kcnn.explain.trace import recorded
from kcnn.models.input_range import check_range
from kcnn.tensorflow_only import check_tensorflow

logger = logging.getLogger("kcnn")

ClassIndex = int | tuple[int, int] | Sequence[int] | Sequence[tuple[int, int]] | np.ndarray


def grad_cam(
    model: keras.Model,
    images: np.ndarray,
    class_index: ClassIndex | None = None,
    *,
    layer: str | None = None,
    method: str = "gradcam",
) -> Heatmaps:
    """Explain what a model sees: where the evidence for a class lies in each image.

    Use it to see whether a model looks at the object or at its background. The map is coarse and
    not a proof: it has the resolution of the layer, and it shows only evidence for the class, none
    against it. Any Keras classifier works: Sequential, functional, nested, or a class of your own.
    The model is not changed, and the map of an image does not depend on the other images.

    The methods:

    * `"gradcam"` weights each channel of the feature map by the mean over space of the gradient of
      the class's logit (Selvaraju et al., https://arxiv.org/abs/1610.02391).
    * `"hirescam"` multiplies each value by its own gradient instead. For a head of Flatten and one
      Dense layer, only this map adds up to the logit (Draelos and Carin,
      https://arxiv.org/abs/2011.08891).
    * `"gradcam++"` finds several objects of the class more evenly. It needs a layer after a ReLU
      (Chattopadhyay et al., https://arxiv.org/abs/1710.11063).
    * `"layercam"` also suits early, finer layers (Jiang et al.,
      https://doi.org/10.1109/TIP.2021.3089943).
    * `"scorecam"` scores images that are masked by each channel, black where the channel is zero.
      It needs no gradient, but one forward pass for each channel (Wang et al.,
      https://arxiv.org/abs/1910.01279).
    * `"cam"` reads the weights of a head with global average pooling (Zhou et al.,
      https://arxiv.org/abs/1512.04150). For such a head Grad-CAM and HiResCAM give the same map.

    Args:
        model: a built classifier with one input and one output of shape [N, classes]. Its logits
            are explained, also where it ends in a softmax or sigmoid.
        images: [N, H, W, C] or [H, W, C], uint8 or float, in the range that the model takes; of a
            model of series [N, steps, C], of voxels [N, depth, H, W, C]. The maps have as many
            axes.
        class_index: the class to explain: None for the one that the model predicts; an integer for
            all images; a tuple `(a, b)` for "why a rather than b", the evidence for the difference
            of their logits; or a list or array of integers, or of such pairs, one per image.
        layer: the layer whose output is explained; "backbone/relu" for one inside a nested model.
            Defaults to the last feature map before the head that every path to the output passes,
            usually the last ReLU or sum.
            `Heatmaps.layer` has its name.
        method: one of the above.

    Raises:
        ValueError: an argument does not fit the model, or its scores are not finite.

    >>> model = keras.Sequential([
    ...     keras.Input((32, 32, 3)),
    ...     keras.layers.Conv2D(8, 3, activation="relu", name="conv"),
    ...     keras.layers.GlobalAveragePooling2D(),
    ...     keras.layers.Dense(10, bias_initializer="ones"),
    ... ])
    >>> heatmaps = grad_cam(model, np.full((2, 32, 32, 3), 9, "uint8"), class_index=3)
    >>> heatmaps.layer, heatmaps.raw.shape, heatmaps.class_index
    ('conv', (2, 30, 30), array([3, 3]))
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    check_tensorflow("Heat maps are made")
    check_model(model, ranks=ANY_RANK)
    images = image_batch(images, model)
    check_range(model, images)
    with recorded(model) as calls:
        num_classes = static_shape(logits(model, images[:1].astype("float32")))[-1]
    wanted = class_indices(class_index, len(images), num_classes)
    passed = on_every_path(model) if layer is None else None
    place = site(model, calls, spatial_layer(calls, layer, passed=passed, rank=images.ndim - 2))
    heatmaps = replace(heatmaps_at(place, images, wanted, method), images=images)
    warn_of_empty(heatmaps)
    return heatmaps


def heatmaps_at(
    place: Site, images: np.ndarray, class_index: np.ndarray | None, method: str
) -> Heatmaps:
    """Return the heat maps of images [N, H, W, C], at least one.

    Args:
        place: where the model is observed.
        images: as the model takes them; also series and voxels.
        class_index: as `class_indices` returns it.
        method: a key of `METHODS`.
    """
    maps, chosen, scores = [], [], []
    for part in parts(images):
        seen = observe(place, images[part], None if class_index is None else class_index[part])
        maps.append(np.maximum(METHODS[method].maps(seen), 0))
        chosen.append(np.asarray(seen.class_index))
        scores.append(seen.score.numpy())
    raw, explained, score = (np.concatenate(each) for each in (maps, chosen, scores))
    return Heatmaps(raw, explained, score, place.layer, method)


def warn_of_empty(heatmaps: Heatmaps) -> None:
    """Log which heat maps are empty, so that nobody takes them for a finding."""
    empty = np.flatnonzero(heatmaps.is_empty).tolist()
    if empty:
        logger.warning(
            "Empty heat maps: nothing at layer %r speaks for the class in %d of %d images (%s).",
            heatmaps.layer,
            len(empty),
            len(heatmaps.raw),
            ", ".join(map(str, empty[:10])) + (", ..." if len(empty) > 10 else ""),
        )


def class_indices(
    class_index: ClassIndex | None, count: int, num_classes: int
) -> np.ndarray | None:
    """Return the class to explain in each of `count` images, [N], or a pair of classes, [N, 2].

    Raises:
        ValueError: `class_index` is none of the kinds that `grad_cam` takes, or has a class that
            the model lacks.
    """
    if class_index is None:
        return None
    try:
        received = np.asarray(class_index)
    except ValueError:  # lists of different lengths
        received = np.empty(0)
    # A list of two integers has one for each of two images; only a tuple is a pair.
    expected = {(2,)} if isinstance(class_index, tuple) else {(), (count,), (count, 2)}
    pairs = isinstance(class_index, tuple) or received.ndim == 2
    if (
        received.dtype.kind not in "ui"
        or received.shape not in expected
        or not ((0 <= received) & (received < num_classes)).all()
        or (pairs and (received[..., 0] == received[..., 1]).any())
    ):
        raise ValueError(
            f"Expected class_index None, an integer from 0 to {num_classes - 1}, a tuple of two "
            f"different ones (why a rather than b), or a list of {count} of these, one per image. "
            f"Received: {class_index!r}"
        )
    return np.broadcast_to(received, (count, 2) if pairs else count).astype("int64")
