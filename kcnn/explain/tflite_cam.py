"""Heat maps from the file that runs on the phone."""

import os
from typing import cast

import numpy as np

from kcnn.explain.grad_cam import ClassIndex, class_indices, warn_of_empty
from kcnn.explain.heatmaps import Heatmaps
from kcnn.explain.observation import target_of
from kcnn.litert import TFLiteClassifier

_CHUNK = 64  # images whose feature maps are held at once


def tflite_cam(
    path: str | os.PathLike, images: np.ndarray, class_index: ClassIndex | None = None
) -> Heatmaps:
    """Explain what an exported model sees: its class activation maps, as a phone computes them.

    Use it to see whether quantization moved the evidence. The map is exact (Zhou et al.,
    https://arxiv.org/abs/1512.04150): one matrix product of the file's own feature map and the
    file's own weights. For a float file it equals `grad_cam(model, images)`. An app needs a file
    that was exported with `feature_map=True`; here any file works.

    Args:
        path: a `.tflite` file of a classifier that ends in global average pooling and at most one
            dense layer of logits.
        images: uint8 [N, H, W, C] or [H, W, C], raw pixels 0-255.
        class_index: the class to explain, as in `grad_cam`; None for the predicted one.

    Raises:
        ValueError: the file is not such a classifier, or the images or classes do not fit it.

    >>> import keras, tempfile
    >>> from kcnn.export import export_tflite
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3),
    ...                           keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(5)])
    >>> path = tempfile.mkdtemp() + "/model.tflite"
    >>> _ = export_tflite(model, path, quantization="none")
    >>> heatmaps = tflite_cam(path, np.full((2, 8, 8, 3), 9, np.uint8), class_index=3)
    >>> heatmaps.raw.shape, heatmaps.class_index, heatmaps.method
    ((2, 6, 6), array([3, 3]), 'cam')
    """
    classifier = TFLiteClassifier(path, feature_map=True)
    images = np.asarray(images)
    images = images[None] if images.ndim == 3 else images
    class_weights = cast("np.ndarray", classifier.class_weights)  # it was read for them
    if classifier.num_classes == 1:  # the evidence for the second of two classes
        class_weights = class_weights * np.array([[-1, 1]], np.float32)
    num_classes = class_weights.shape[1]
    wanted = class_indices(class_index, len(images), num_classes)
    parts = []
    for start in range(0, max(1, len(images)), _CHUNK):
        part = slice(start, start + _CHUNK)
        logits, features = classifier.with_feature_maps(images[part])
        if classifier.num_classes == 1:
            logits = logits * np.array([[-1, 1]], np.float32)
        explained = logits.argmax(axis=1) if wanted is None else wanted[part]
        target = target_of(explained, num_classes).numpy()
        weights = target @ class_weights.T
        signed = np.einsum("nhwk,nk->nhw", features, weights) / np.prod(features.shape[1:3])
        parts.append((np.maximum(signed, 0), explained, (logits * target).sum(axis=1)))
    raw, explained, score = map(np.concatenate, zip(*parts, strict=True))
    heatmaps = Heatmaps(raw.astype(np.float32), explained, score, "feature_map", "cam", images)
    warn_of_empty(heatmaps)
    return heatmaps
