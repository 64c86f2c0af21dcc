"""Transfer learning: the body of a trained network under a new head."""

from typing import Any, cast

import keras

from kcnn.errors import unknown
from kcnn.models import blocks
from kcnn.models.applications import PREPROCESSINGS, find_preprocessing, is_application
from kcnn.models.flatten import flatten
from kcnn.models.input_range import changes_pixels

_DROPOUTS = (
    keras.layers.Dropout,
    keras.layers.AlphaDropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
)
_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
# Layers that may follow a convolution with one map per class, up to the model's output.
_AFTER_CLASS_MAPS = (
    keras.layers.Activation,
    keras.layers.ELU,
    keras.layers.Flatten,
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalAveragePooling3D,
    keras.layers.LeakyReLU,
    keras.layers.ReLU,
    keras.layers.Reshape,
    keras.layers.Softmax,
    *_DROPOUTS,
)


def transfer(
    base: keras.Model,
    num_classes: int,
    *,
    trainable_from: str | None = None,
    features: str | None = None,
    dropout: float = 0.0,
    preprocessing: str | None = "auto",
    name: str = "transfer",
) -> keras.Model:
    """Return a classifier of other classes: a copy of the body of `base` and a new, untrained head.

    Use it where labels are few: train the head on the frozen body, then call `fine_tune_from` and
    train the last layers too, at a smaller learning rate. Frozen batch norms keep their statistics,
    also in training.

    The body is everything that feeds the last dense layer, without a dropout right before it. If
    the network ends in one map per class instead (a 1x1 convolution and global average pooling),
    the body is what feeds this convolution. A base that ends in feature maps (`include_top=False`)
    is body only, and so is one of `keras.applications` that ends in their global pooling. Feature
    maps are averaged over their pixels; the new head is one dense layer of logits. The result has
    weights of its own and takes the inputs that `base` takes; around a network of
    `keras.applications` that does not scale its pixels itself, it takes raw RGB pixels 0-255 and
    does what the network's `preprocess_input` does.

    Args:
        base: any Sequential or functional model with one input and one output. It is not changed.
            Layers of models inside it become layers of the result.
        num_classes: of the new head.
        trainable_from: name of the first layer that trains, see `fine_tune_from`; None for the
            head only.
        features: name of the layer whose output feeds the new head; needed where the rules above
            do not find it.
        dropout: share of the features to drop in training.
        preprocessing: what the result does to raw pixels first: "tf", "torch" or "caffe", as Keras
            calls the ways of `keras.applications`; None for nothing; "auto" for what the base needs
            and does not do itself.
        name: of the result.

    Paper: Yosinski et al., "How transferable are features in deep neural networks?" (2014),
    https://arxiv.org/abs/1411.1792.

    Raises:
        ValueError: an argument is out of its range, a layer's name is unknown, or no head is found.

    >>> from kcnn.models import simple_cnn
    >>> model = transfer(simple_cnn(), 3)
    >>> model.output_shape, [weight.path for weight in model.trainable_weights]
    ((None, 3), ['logits/kernel', 'logits/bias'])
    """
    blocks.check_rate("dropout", dropout)
    body = _preprocessed(flatten(base), preprocessing)
    x = _features(body, base.name) if features is None else _output(_layer(body, features))
    head: list[keras.layers.Layer] = [blocks.logits(num_classes)]
    if dropout:
        head.insert(0, blocks.dropout(dropout, name="head_dropout"))
    if len(x.shape) > 2:
        head = [*blocks.global_pool("average", rank=len(x.shape) - 2, name="head_pool"), *head]
    model = keras.Model(body.inputs[0], blocks.apply(head, x), name=name)
    fine_tune_from(model, trainable_from or "logits")
    return model


def _preprocessed(body: keras.Model, mode: str | None) -> keras.Model:
    """Return the body with its preprocessing of raw RGB pixels before it."""
    if mode == "auto":
        mode = None if changes_pixels(body) else find_preprocessing(body)
    if mode is None:
        return body
    if mode not in PREPROCESSINGS:
        raise unknown("preprocessing", mode, ["auto", *PREPROCESSINGS])
    mean, std, bgr = PREPROCESSINGS[mode]
    image: Any = keras.Input(body.inputs[0].shape[1:], name=body.inputs[0].name)
    if image.shape[-1] != len(mean):
        raise ValueError(
            f"preprocessing={mode!r} is for RGB images. Received: a base for {image.shape[1:]}"
        )
    variance = [each**2 for each in std]
    x = keras.layers.Normalization(mean=list(mean), variance=variance, name="preprocess")(image)
    if bgr:  # instead of the pixels' channels, those of the first kernel change places
        first: Any = next(layer for layer in body.layers if hasattr(layer, "kernel"))
        first.kernel.assign(keras.ops.flip(first.kernel.value, axis=2))
    return flatten(keras.Model(image, body(x), name=body.name))


def fine_tune_from(model: keras.Model, layer: str) -> None:
    """Make `layer` and all layers after it trainable, and freeze those before it.

    Call it between two trainings. A compiled model must then be compiled again; `kcnn.train` does
    so.

    Args:
        model: changed in place.
        layer: a name, in the order of `model.layers`.

    Raises:
        ValueError: the model has no such layer.

    >>> from kcnn.models import simple_cnn
    >>> model = transfer(simple_cnn(), 3)
    >>> fine_tune_from(model, "dense")
    >>> [layer.name for layer in model.layers if layer.trainable_weights]
    ['dense', 'logits']
    """
    first = model.layers.index(_layer(model, layer))
    model.trainable = True
    for index, each in enumerate(model.layers):
        each.trainable = index >= first


def _layer(model: keras.Model, name: str) -> keras.layers.Layer:
    layers = {layer.name: layer for layer in model.layers}
    if name not in layers:
        raise unknown("layer", name, layers)
    return layers[name]


def _output(layer: keras.layers.Layer) -> keras.KerasTensor:
    return cast(keras.KerasTensor, layer.output)


def _features(body: keras.Model, name: str) -> keras.KerasTensor:
    """Return the tensor that feeds the head."""
    x = cast(keras.KerasTensor, body.outputs[0])
    if len(x.shape) > 2:
        return x
    between = []
    while True:
        layer, before = _maker(x)
        if isinstance(layer, keras.layers.Dense) or _makes_class_maps(layer, between):
            break
        if len(before) != 1 or getattr(layer, "weights", ()):
            if is_application(body):  # include_top=False, pooling="avg"
                return cast(keras.KerasTensor, body.outputs[0])
            raise ValueError(
                f"Model {name!r} ends in {layer.name!r}, not in a dense layer or one map per "
                "class: name the layer that feeds the new head, features='...'."
            )
        between.append(layer)
        x = before[0]
    x = before[0]
    while isinstance(_maker(x)[0], _DROPOUTS):
        x = _maker(x)[1][0]
    return x


def _maker(x: Any) -> tuple[Any, list[keras.KerasTensor]]:
    """Return the layer that computes `x`, and the layer's inputs."""
    layer, node, _ = x._keras_history
    return layer, layer._inbound_nodes[node].input_tensors


def _makes_class_maps(layer: Any, between: list[Any]) -> bool:
    return (
        isinstance(layer, _CONVOLUTIONS)
        and set(layer.kernel_size) == {1}
        and all(isinstance(each, _AFTER_CLASS_MAPS) for each in between)
    )
