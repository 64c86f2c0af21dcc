"""A first layer whose outputs are uncorrelated from the start."""

import keras
import numpy as np

from kcnn.models.files import in_float32

WHITENING = "whiten"
"""The name of the layer that `whiten` sets."""

_BATCH = 250
# Added to the variances, lest directions in which images hardly vary drown in noise.
_EPSILON = 5e-4


def whiten(model: keras.Model, images: np.ndarray) -> None:
    """Set the convolution called "whiten" so that it whitens patches of images, and freeze it.

    Call it before the training of a `speed_net`, with some thousand training images; `kcnn run`
    does. Its filters become the eigenvectors of the patches' covariance, each divided by the
    standard deviation along it, then the same with the other sign. The bias is still trained (the
    paper's for its first three epochs only). The kernel is frozen in this model alone: in one that
    is loaded or cloned it trains.

    Paper: Jordan (2024), https://arxiv.org/abs/2404.00498, section 3.1.

    Args:
        model: with a convolution "whiten" of twice as many filters as a patch has values.
        images: uint8 [N, H, W, C], 0 to 255.

    Raises:
        ValueError: the model has no such layer, or there are no images.

    >>> import kcnn
    >>> model = kcnn.models.speed_net(width=8)
    >>> whiten(model, np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3)).astype("uint8"))
    >>> model.get_layer("whiten").kernel.trainable
    False
    """
    layer = next((each for each in model.layers if each.name == WHITENING), None)
    if layer is None:
        raise ValueError(
            f"Only a model with a convolution called {WHITENING!r}, such as speed_net, can be "
            f"whitened. Received: model={model.name!r}"
        )
    height, width, channels, filters = layer.kernel.shape
    values = height * width * channels
    if filters != 2 * values:
        raise ValueError(
            f"Whitening patches of {values} values takes {2 * values} filters. Received: {filters}"
        )
    if not len(images):
        raise ValueError("Whitening takes some thousand images. Received: 0")
    stem = in_float32(keras.Model(model.inputs[0], layer.input))
    variances, directions = np.linalg.eigh(_covariance(stem, images, (height, width)))
    kernel = directions / np.sqrt(variances + _EPSILON)
    kernel = np.concatenate([kernel, -kernel], axis=1).reshape(layer.kernel.shape)
    layer.kernel.assign(kernel)
    layer.kernel.trainable = False


def _covariance(stem: keras.Model, images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the second moments of all patches of the stem's maps: their mean is about zero."""
    total, count = 0.0, 0
    for start in range(0, len(images), _BATCH):
        maps = keras.ops.convert_to_numpy(stem(images[start : start + _BATCH], training=False))
        windows = np.lib.stride_tricks.sliding_window_view(maps, size, axis=(1, 2))
        # [B, rows, columns, C, height, width] -> [patches, height * width * C], as a kernel is laid
        patches = np.moveaxis(windows, 3, -1).reshape(-1, size[0] * size[1] * maps.shape[-1])
        patches = patches.astype(np.float64)
        total, count = total + patches.T @ patches, count + len(patches)
    return total / count
