"""How the networks of `keras.applications` want their pixels."""

from typing import Any, NamedTuple

import keras

IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)


class Preprocessing(NamedTuple):
    """What the `preprocess_input` of a network does to raw RGB pixels.

    Attributes:
        mean: what is subtracted from each channel.
        std: what each is then divided by.
        bgr: whether the network reads blue, green and red in this order.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    bgr: bool = False


# By the names that Keras gives to the modes of `imagenet_utils.preprocess_input`.
PREPROCESSINGS = {
    "tf": Preprocessing((127.5,) * 3, (127.5,) * 3),
    "torch": Preprocessing(IMAGENET_MEAN, IMAGENET_STD),
    "caffe": Preprocessing((123.68, 116.779, 103.939), (1.0,) * 3, bgr=True),
}

# Layers by which a network is known, and its mode; None where it scales its pixels itself.
_SIGNATURES = (
    ({"conv1_conv", "conv2_block1_preact_bn"}, "tf"),  # ResNetV2
    ({"conv1_conv", "conv2_block1_concat"}, "torch"),  # DenseNet
    ({"conv1_conv", "conv2_block1_0_conv"}, "caffe"),  # ResNet
    ({"conv1", "conv_dw_1"}, "tf"),  # MobileNet
    ({"Conv1", "expanded_conv_depthwise"}, "tf"),  # MobileNetV2
    ({"mixed0", "mixed10"}, "tf"),  # InceptionV3
    ({"mixed_5b", "conv_7b"}, "tf"),  # InceptionResNetV2
    ({"block1_conv1", "block2_sepconv1"}, "tf"),  # Xception
    ({"stem_conv1", "stem_bn1"}, "tf"),  # NASNet
    ({"stem_conv", "top_activation"}, None),  # EfficientNet
    ({"conv", "expanded_conv_depthwise"}, None),  # MobileNetV3
)
_VGG = {"block1_conv1", "block5_conv3", "block5_pool"}


def find_preprocessing(model: keras.Model) -> str | None:
    """Return the key in `PREPROCESSINGS` for a network of `keras.applications`, else None.

    It is known by the names of its layers, also inside other models. Whether the model already
    applies the preprocessing is another question.

    >>> find_preprocessing(keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None))
    'tf'
    """
    return (_find(model) or (None,))[0]


def is_application(model: keras.Model) -> bool:
    """Return whether a model is, or holds, a network of `keras.applications` that kcnn knows."""
    return _find(model) is not None


def _find(model: keras.Model) -> tuple[str | None] | None:
    """Return the mode of a network that is known."""
    layers: dict[str, Any] = {layer.name: layer for layer in model._flatten_layers()}
    for names, mode in _SIGNATURES:
        if names <= layers.keys():
            return (mode,)
    # VGGs of kcnn have these names too, but the activation is a layer of its own.
    first = layers.get("block1_conv1")
    activated = getattr(first, "activation", None) is keras.activations.relu
    return ("caffe",) if layers.keys() >= _VGG and activated else None
