"""Grad-CAM and its relatives: where in an image the evidence for a class lies."""

import logging
from collections.abc import Sequence

import keras
import numpy as np

from kcnn.errors import unknown
from kcnn.explain.heads import logits
from kcnn.explain.heatmaps import Heatmaps
from kcnn.explain.inputs import check_model, image_batch
from kcnn.explain.layers import spatial_layer
from kcnn.explain.methods import METHODS
from kcnn.explain.observation import Site, observe, parts, site
from kcnn.explain.trace import recorded

_log = logging.getLogger("kcnn")

ClassIndex = int | tuple[int, int] | Sequence[int] | Sequence[tuple[int, int]] | np.ndarray


def grad_cam(
    model: keras.Model,
    images: np.ndarray,
    class_index: ClassIndex | None = None,
    layer: str | None = None,
    method: str = "gradcam",
) -> Heatmaps:
    """Explain what a model sees: where the evidence for a class lies in each image.

    Use it to see whether a model looks at the object or at its background. It is a coarse map,
    not a proof: its resolution is the layer's, and it shows only evidence that speaks for the
    class. Any Keras classifier will do: Sequential, functional, nested, a class of your own. It is
    left as it was, and every image's map is independent of the others. The methods:

    * `"gradcam"` weights each channel of the feature map by the mean over space of the class
      logit's gradient (Selvaraju et al., https://arxiv.org/abs/1610.02391).
    * `"hirescam"` takes each value times its own gradient instead: with a Flatten head of one Dense
      layer only this map adds up to the logit (Draelos and Carin, https://arxiv.org/abs/2011.08891).
    * `"gradcam++"` finds several objects of the class more evenly; for layers after a ReLU
      (Chattopadhyay et al., https://arxiv.org/abs/1710.11063).
    * `"layercam"` also suits early, finer layers (Jiang et al.,
      https://doi.org/10.1109/TIP.2021.3089943).
    * `"scorecam"` asks the model about masked images, black where a channel is silent, and needs no
      gradient; one forward pass a channel (Wang et al., https://arxiv.org/abs/1910.01279).
    * `"cam"` reads the weights of a global-average-pooling head (Zhou et al.,
      https://arxiv.org/abs/1512.04150). There, Grad-CAM and HiResCAM are exactly the same map.

    Args:
        model: a built classifier with one image input and one output of shape [N, classes]. Its
            logits are explained, also where it ends in a softmax or sigmoid.
        images: [N, H, W, C] or [H, W, C], uint8 or float, of the range that the model takes.
        class_index: the class to explain: None for the one that the model predicts; an integer for
            all images; a tuple `(a, b)` for "why a rather than b", the evidence for the difference
            of their logits; or a list or array of integers, or of such pairs, one per image.
        layer: the layer whose output is explained, "backbone/relu" where it is inside a nested
            model. Defaults to the last feature map before the head, usually the last ReLU; see
            `Heatmaps.layer` for its name.
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
    check_model(model)
    images = image_batch(images, model)
    with recorded(model) as calls:
        num_classes = logits(model, images[:1].astype("float32")).shape[-1]
    wanted = class_indices(class_index, len(images), num_classes)
    place = site(model, calls, spatial_layer(calls, layer))
    heatmaps = heatmaps_at(place, images, wanted, method)
    tell_empty(heatmaps)
    return heatmaps


def heatmaps_at(
    place: Site, images: np.ndarray, class_index: np.ndarray | None, method: str
) -> Heatmaps:
    """Return the maps of images [N, H, W, C], N > 0, for classes as `class_indices` gives them."""
    maps, chosen, scores = [], [], []
    for part in parts(images):
        seen = observe(place, images[part], None if class_index is None else class_index[part])
        maps.append(np.maximum(METHODS[method].maps(seen), 0))
        chosen.append(np.asarray(seen.class_index))
        scores.append(seen.score.numpy())
    return Heatmaps(*map(np.concatenate, (maps, chosen, scores)), place.layer, method)


def tell_empty(heatmaps: Heatmaps) -> None:
    """Log which maps hold nothing: they are not to be taken for a finding."""
    empty = np.flatnonzero(heatmaps.is_empty).tolist()
    if empty:
        _log.warning(
            "Empty heat maps: nothing at layer %r speaks for the class in %d of %d images (%s).",
            heatmaps.layer,
            len(empty),
            len(heatmaps.raw),
            ", ".join(map(str, empty[:10])) + (", ..." if len(empty) > 10 else ""),
        )


def class_indices(
    class_index: ClassIndex | None, count: int, num_classes: int
) -> np.ndarray | None:
    """Return the classes [N] or pairs of them [N, 2] of all images."""
    if class_index is None:
        return None
    try:
        received = np.asarray(class_index)
    except ValueError:  # of lists of different lengths
        received = np.empty(0)
    # A list of two integers is one for each of two images; only a tuple is a pair.
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
