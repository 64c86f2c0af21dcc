"""All tests of one method of explanation on one model."""

from functools import partial
from typing import Any

import keras
import numpy as np

from kcnn.explain.checks.deletion_insertion import deletion_insertion
from kcnn.explain.checks.mosaic import mosaic
from kcnn.explain.checks.planted_patch import planted_patch
from kcnn.explain.checks.randomization import randomization
from kcnn.explain.checks.result import Check
from kcnn.explain.checks.subject import Subject
from kcnn.explain.grad_cam import grad_cam
from kcnn.explain.heads import logits, static_shape
from kcnn.explain.observation import site
from kcnn.explain.trace import recorded
from kcnn.progress import Progress


def check(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    method: str = "gradcam",
    layer: str | None = None,
    seed: int = 0,
) -> Check:
    """Test whether a method's heat maps show what a model sees, before anyone trusts them.

    A heat map always looks plausible. These tests compare it with two maps that ignore the model, a
    random one and the edges of the image (Sobel), and with the truth where it is known:

    * deletion and insertion: the answer must depend on the hottest pixels (no ground truth; part of
      every effect is mere damage to the image);
    * randomized weights: the map must change when the model loses what it has learned (a map that
      changes can still be wrong; one that does not shows the image, not the model);
    * planted patch: the map must find the patch that alone changed the model's prediction;
    * mosaic: of four images in one, the map must find the one that shows the class.

    The ground truth of the last two comes from experiments on the model itself, and so needs
    neither annotated boxes nor training. Images on which the experiment fails do not count.

    64 test images give intervals of about ±0.05, and take a minute with a small CNN on two cores;
    "scorecam" takes far longer. Afterwards the model has exactly its own weights again, but during
    the test they are random: nothing else may use the model meanwhile.

    Args:
        model: a classifier with two classes or more, as `grad_cam` takes it.
        images: [N, H, W, C], uint8 or float, that the model was not trained on.
        labels: the true classes [N], integers, at least two different ones.
        method: a key of `kcnn.explain.METHODS`.
        layer: the layer whose output is explained, as for `grad_cam`.
        seed: of everything that is random.

    Raises:
        ValueError: an argument does not fit the model.

    >>> model = keras.Sequential([
    ...     keras.Input((8, 8, 3)),
    ...     keras.layers.Conv2D(2, 1, activation="relu", name="conv"),
    ...     keras.layers.GlobalAveragePooling2D(),
    ...     keras.layers.Dense(2, kernel_initializer="identity"),
    ... ])
    >>> model.layers[0].set_weights([np.array([[[[1, 0], [0, 0], [0, 1]]]]), np.zeros(2)])
    >>> labels = np.arange(16) % 2
    >>> images = np.eye(3)[2 * labels][:, None, None] * np.full((8, 8, 1), 255)  # all red, all blue
    >>> result = check(model, images, labels)
    >>> str(result.mosaic.heat.estimates["own"])
    '1.00 [1.00, 1.00]'
    """
    images = np.asarray(images)
    labels = _labels(labels, images)
    heatmaps = grad_cam(model, images, layer=layer, method=method)
    if heatmaps.is_empty.all():
        raise ValueError(
            f"There is nothing to check: at layer {heatmaps.layer!r} every map of method "
            f"{method!r} is empty. Choose another layer or method."
        )
    images = images.astype("float32")
    with recorded(model) as calls:
        num_classes = static_shape(logits(model, images[:1]))[-1]
    if labels.max() >= num_classes:
        raise ValueError(
            f"Expected labels below {num_classes}, the number of the model's logits. Received: "
            f"{labels.max()}"
        )
    subject = Subject(site(model, calls, heatmaps.layer), method, heatmaps.raw.shape[1:])
    rngs = np.random.default_rng(seed).spawn(4)
    tests = (
        partial(deletion_insertion, subject, images, heatmaps, rngs[0]),
        partial(randomization, subject, images, heatmaps, rngs[1]),
        partial(planted_patch, subject, images, labels, rngs[2]),
        partial(mosaic, subject, images, labels, rngs[3]),
    )
    progress, results = Progress("testing heat maps", len(tests)), list[Any]()
    for test in tests:
        results.append(test())
        progress.add()
    curves, *others = results
    return Check(method, heatmaps.layer, len(images), *curves, *others)


def _labels(labels: np.ndarray, images: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    fits = images.ndim == 4 and labels.shape == images.shape[:1]
    if not fits or labels.dtype.kind not in "ui" or labels.min(initial=0) < 0:
        raise ValueError(
            "Expected images [N, H, W, C] and labels [N], integers from 0. Received: shapes "
            f"{images.shape} and {labels.shape}, labels of {labels.dtype}"
        )
    if len(np.unique(labels)) < 2:
        raise ValueError("A check needs images of two classes or more. Received: one class.")
    return labels.astype("int64")
