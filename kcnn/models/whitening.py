"""A first layer whose outputs are uncorrelated from the start."""

from typing import Any

import keras
import numpy as np

from kcnn.models.files import in_float32

# The name of the layer that `whiten` sets.
WHITENING = "whiten"

_BATCH = 250
# Added to the variances, so that directions in which images hardly vary do not amplify noise.
_EPSILON = 5e-4


def whiten(model: keras.Model, images: np.ndarray) -> None:
    """Set the convolution called "whiten" so that it whitens patches of images, and freeze it.

    Call it before training a `speed_net`, with some thousand training images; `kcnn run` does. The
    filters become the eigenvectors of the patches' covariance, each divided by the standard
    deviation along it, and then the same filters with the opposite sign. The bias still trains (in
    the paper for the first three epochs only). The kernel is frozen in this model only: in a loaded
    or cloned one it trains.

    Paper: Jordan (2024), https://arxiv.org/abs/2404.00498, section 3.1.

    Args:
        model: changed in place. Its convolution "whiten" has twice as many filters as a patch has
            values.
        images: uint8 [N, H, W, C], 0 to 255.

    Raises:
        ValueError: the model has no such layer, or there are no images.

    >>> import kcnn
    >>> model = kcnn.models.speed_net(width=8)
    >>> whiten(model, np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3)).astype("uint8"))
    >>> model.get_layer("whiten").kernel.trainable
    False
    """
    layer: Any = next((each for each in model.layers if each.name == WHITENING), None)
    if layer is None:
        raise ValueError(
            f"Only a model with a convolution called {WHITENING!r}, such as speed_net, can be "
            f"whitened. Received: model={model.name!r}"
        )
    height, width, channels, filters = layer.kernel.shape
    values = height * width * channels
    if filters != 2 * values:
        raise ValueError(
            f"Whitening patches of {values} values needs {2 * values} filters. Received: {filters}"
        )
    if not len(images):
        raise ValueError("Whitening needs some thousand images. Received: 0")
    stem = in_float32(keras.Model(model.inputs[0], layer.input))
    variances, directions = np.linalg.eigh(_covariance(stem, images, (height, width)))
    kernel = directions / np.sqrt(variances + _EPSILON)
    kernel = np.concatenate([kernel, -kernel], axis=1).reshape(layer.kernel.shape)
    layer.kernel.assign(kernel)
    layer.kernel.trainable = False


def _covariance(stem: keras.Model, images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the second moments of all patches of the stem's maps, whose mean is about zero."""
    total, count = np.zeros(()), 0
    for start in range(0, len(images), _BATCH):
        outputs = stem(images[start : start + _BATCH], training=False)
        maps = np.asarray(keras.ops.convert_to_numpy(outputs))
        windows = np.lib.stride_tricks.sliding_window_view(maps, size, axis=(1, 2))
        # [B, rows, columns, C, height, width] -> [patches, height * width * C], a kernel's layout
        patches = np.moveaxis(windows, 3, -1).reshape(-1, size[0] * size[1] * maps.shape[-1])
        patches = patches.astype(np.float64)
        total, count = total + patches.T @ patches, count + len(patches)
    return total / count
