"""Residual networks for small images (He et al. 2015, section 4.2): 6n + 2 layers deep."""

from numbers import Integral
from typing import NamedTuple, TypedDict, Unpack

import keras

from kcnn.errors import unknown
from kcnn.models import blocks

SHORTCUTS = ("A", "B", "none")

Layers = list[keras.layers.Layer]


class _Style(NamedTuple):
    """What all residual units of a network have in common."""

    shortcut: str
    activation: str
    kernel: keras.initializers.Initializer
    preactivation: bool


class ResNetOptions(TypedDict, total=False):
    """What `resnet20` and its siblings can change; see `resnet` for the defaults."""

    shortcut: str
    width: int
    preactivation: bool
    activation: str
    initializer: blocks.Initializer
    normalization: blocks.Scaling


def resnet(  # noqa: PLR0913  one argument per choice
    depth: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    shortcut: str = "A",
    width: int = 16,
    preactivation: bool = False,
    activation: str = "relu",
    initializer: blocks.Initializer = "auto",
    normalization: blocks.Scaling = "auto",
    name: str | None = None,
) -> keras.Model:
    """Build the CIFAR residual network of any `depth` = 6n + 2.

    A 3x3 convolution, then three stages of n residual units with `width`, 2 `width` and
    4 `width` filters, the second and third at half the resolution of the one before, then global
    average pooling and the logits. Strided convolutions pad as Keras's "same" does, below and on
    the right, and batch norm has Keras's epsilon of 1e-3. PyTorch pads on all sides and has 1e-5:
    with weights from there, outputs are close but not equal.

    Papers: He et al., "Deep Residual Learning" (2015), https://arxiv.org/abs/1512.03385; with
    `preactivation`, He et al., "Identity Mappings in Deep Residual Networks" (2016),
    https://arxiv.org/abs/1603.05027.

    Args:
        depth: weight layers: 6n + 2.
        input_shape: (height, width, channels), at least 4x4 pixels.
        num_classes: number of logits.
        shortcut: the shortcut of a unit whose output has another size than its input. "A"
            subsamples the input and fills the new channels with zeros: no parameters, the paper's
            choice for CIFAR-10. "B" projects it with a 1x1 convolution. All other units add their
            input unchanged. "none" leaves every shortcut out: the plain network that the paper
            compares with.
        width: filters of the first stage.
        preactivation: batch norm and activation before each convolution, so that the path through
            the shortcuts from the first unit to the last contains only sums. As in the authors'
            code, the first unit of a stage also normalizes and activates the input of its
            shortcut, and a projection has no batch norm.
        activation: one of `kcnn.models.blocks.ACTIVATIONS`.
        initializer: as in `kcnn.models.blocks.initializer`.
        normalization: how the network scales its pixels, as in `kcnn.models.blocks.normalize`.
        name: of the model.

    Raises:
        ValueError: an argument is unknown or out of its range.

    >>> resnet(8, num_classes=100).name
    'resnet8'
    """
    if not isinstance(depth, Integral) or depth < 8 or (depth - 2) % 6:
        raise ValueError(f"depth must be 6n + 2: 8, 14, 20, ... Received: depth={depth!r}")
    blocks.check_count("width", width)
    blocks.check_flag("preactivation", preactivation)
    if shortcut not in SHORTCUTS:
        raise unknown("shortcut", shortcut, SHORTCUTS)
    image = blocks.image_input(input_shape, minimum_size=4)
    logits = blocks.logits(num_classes)
    kernel = blocks.initializer(initializer, activation)
    style = _Style(shortcut, activation, kernel, preactivation)
    x = blocks.apply(blocks.normalize(image.shape[-1], normalization, padding=1), image)
    # The image is padded before it is normalized: see `blocks.normalize`.
    stem = blocks.conv(width, 3, padding="valid", initializer=kernel, name="stem_conv")
    x = blocks.apply(stem, x)
    if not preactivation:
        x = _normalize_and_activate(x, "stem_conv", style)
    unit = _preactivated_unit if preactivation else _unit
    for stage in (1, 2, 3):
        for block in range(1, (depth - 2) // 6 + 1):
            x = unit(x, width * 2 ** (stage - 1), stage, block, style)
    if preactivation:
        x = _normalize_and_activate(x, "last", style)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, logits(x), name=name or f"resnet{depth}")


def _unit(
    x: keras.KerasTensor, filters: int, stage: int, block: int, style: _Style
) -> keras.KerasTensor:
    """Add the output of two 3x3 convolutions to the shortcut; the activation follows the sum."""
    name, strides = f"stage{stage}_block{block}", _strides(stage, block)
    first, second = _convolutions(filters, strides, name, style)
    residual = _normalize_and_activate(blocks.apply(first, x), f"{name}_conv1", style)
    residual = blocks.batch_norm(f"{name}_conv2")(blocks.apply(second, residual))
    x = _add_shortcut(x, residual, strides, name, style)
    return blocks.apply(blocks.activation(style.activation, name=name), x)


def _preactivated_unit(
    x: keras.KerasTensor, filters: int, stage: int, block: int, style: _Style
) -> keras.KerasTensor:
    """Like `_unit`, but activate before each convolution and not after the sum."""
    name, strides = f"stage{stage}_block{block}", _strides(stage, block)
    first, second = _convolutions(filters, strides, name, style)
    activated = _normalize_and_activate(x, f"{name}_conv1", style)
    residual = blocks.apply(first, activated)
    residual = _normalize_and_activate(residual, f"{name}_conv2", style)
    residual = blocks.apply(second, residual)
    return _add_shortcut(activated if block == 1 else x, residual, strides, name, style)


def _strides(stage: int, block: int) -> int:
    return 2 if stage > 1 and block == 1 else 1


def _convolutions(filters: int, strides: int, name: str, style: _Style) -> tuple[Layers, Layers]:
    first = blocks.conv(filters, 3, strides=strides, initializer=style.kernel, name=f"{name}_conv1")
    return first, blocks.conv(filters, 3, initializer=style.kernel, name=f"{name}_conv2")


def _normalize_and_activate(x: keras.KerasTensor, name: str, style: _Style) -> keras.KerasTensor:
    return blocks.apply(
        [blocks.batch_norm(name), *blocks.activation(style.activation, name=name)], x
    )


def _add_shortcut(
    x: keras.KerasTensor, residual: keras.KerasTensor, strides: int, name: str, style: _Style
) -> keras.KerasTensor:
    if style.shortcut == "none":
        return residual
    if strides > 1:
        resize = _project if style.shortcut == "B" else _subsample_and_pad
        x = blocks.apply(resize(x.shape[-1], residual.shape[-1], strides, name, style), x)
    return keras.layers.Add(name=f"{name}_add")([x, residual])


def _subsample_and_pad(
    channels: int, filters: int, strides: int, name: str, style: _Style
) -> Layers:
    new = filters - channels
    return [
        # Pooling over one pixel with strides keeps every second pixel unchanged.
        keras.layers.AveragePooling2D(1, strides=strides, name=f"{name}_subsample"),
        # With "channels_first" ZeroPadding2D pads the last two axes, which are (width, channels)
        # here: so no Lambda layer is needed, which could not be loaded safely.
        keras.layers.ZeroPadding2D(
            ((0, 0), (new // 2, new - new // 2)),
            data_format="channels_first",
            name=f"{name}_pad_channels",
        ),
    ]


def _project(channels: int, filters: int, strides: int, name: str, style: _Style) -> Layers:
    piece = blocks.conv if style.preactivation else blocks.conv_bn
    return piece(filters, 1, strides=strides, initializer=style.kernel, name=f"{name}_project")


def resnet20(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    name: str = "resnet20",
    **options: Unpack[ResNetOptions],
) -> keras.Model:
    """Build ResNet-20: 269,722 trainable parameters by default.

    Paper (He et al. 2015), options and errors: see `kcnn.models.families.resnet.resnet`.
    """
    return resnet(20, input_shape, num_classes, name=name, **options)


def resnet32(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    name: str = "resnet32",
    **options: Unpack[ResNetOptions],
) -> keras.Model:
    """Build ResNet-32: 464,154 trainable parameters by default.

    Paper (He et al. 2015), options and errors: see `kcnn.models.families.resnet.resnet`.
    """
    return resnet(32, input_shape, num_classes, name=name, **options)


def resnet44(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    name: str = "resnet44",
    **options: Unpack[ResNetOptions],
) -> keras.Model:
    """Build ResNet-44: 658,586 trainable parameters by default.

    Paper (He et al. 2015), options and errors: see `kcnn.models.families.resnet.resnet`.
    """
    return resnet(44, input_shape, num_classes, name=name, **options)


def resnet56(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    name: str = "resnet56",
    **options: Unpack[ResNetOptions],
) -> keras.Model:
    """Build ResNet-56: 853,018 trainable parameters by default.

    Paper (He et al. 2015), options and errors: see `kcnn.models.families.resnet.resnet`.
    """
    return resnet(56, input_shape, num_classes, name=name, **options)


def resnet110(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    name: str = "resnet110",
    **options: Unpack[ResNetOptions],
) -> keras.Model:
    """Build ResNet-110: 1,727,962 trainable parameters by default.

    Paper (He et al. 2015), options and errors: see `kcnn.models.families.resnet.resnet`.
    """
    return resnet(110, input_shape, num_classes, name=name, **options)
