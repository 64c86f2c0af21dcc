"""Check that a model fits the data, before training starts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from kcnn.answers import UNKNOWN
from kcnn.errors import one_line
from kcnn.models.final_activation import final_activation
from kcnn.models.interface import check_single


def check_fit(
    model: keras.Model,
    image_shape: Sequence[int],
    num_classes: int | None,
    *,
    called: str = "model",
) -> None:
    """Refuse a model that does not take such images, or does not return one logit per class.

    A `keras.Sequential` without an input shape, or a model of the user's own class that was never
    called, is built for these images.

    Args:
        model: with one input and one output.
        image_shape: (height, width, channels) of the data.
        num_classes: of the data; None for a model that is to become a part of another one, which
            may return maps or any number of features.
        called: what the message calls the model, such as "teacher".

    Raises:
        ValueError: it is no Keras model, takes images of another shape or several inputs, returns
            several outputs, predicts another number of classes, or ends in an activation that turns
            the logits into probabilities.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
    >>> check_fit(model, (8, 8, 3), 10)
    Traceback (most recent call last):
    ValueError: The model has 192 outputs, the data has 10 classes: build it with num_classes=10.
    """
    if not isinstance(model, keras.Model):
        raise ValueError(
            f"The {called} must be a Keras 3 model; kcnn.models.load reads one from a file. "
            f"Received: {type(model).__name__}."
        )
    check_single(model, "A training" if called == "model" else f"A {called}")
    wanted = tuple(image_shape)
    shape = _output_shape(model, wanted, called)
    if num_classes is not None:
        _check_classes(model, shape, num_classes, called)
    activation = final_activation(model)
    if activation not in (None, UNKNOWN):
        last = model.layers[-1].name
        raise ValueError(
            f"The {called} must end in logits, but its last layer {last!r} applies "
            f"{activation}: remove the activation."
        )


def check_graph(model: keras.Model, what: str) -> None:
    """Refuse a model whose layers' connections cannot be seen, or with several inputs or outputs.

    Args:
        model: any Keras model.
        what: what needs the connections, such as "Pruning"; the message begins with it.

    Raises:
        ValueError: the message says how to make a functional model of it.
    """
    check_single(model, what)
    if getattr(model, "inputs", None) or not isinstance(model, keras.Model):
        return
    if isinstance(model, keras.Sequential):
        raise ValueError(
            f"{what} needs a built model. Received: {model.name!r}, a Sequential without an input "
            "shape: begin it with keras.Input(shape), or call it on an image."
        )
    raise ValueError(
        f"{what} needs a Sequential or functional model, whose connections can be seen. "
        f"Received: {model.name!r} of class {type(model).__name__}. If its call uses layers "
        "and keras.ops only, image = keras.Input(shape) and "
        "keras.Model(image, model.call(image)) make one of it, with the same weights."
    )


def _check_classes(
    model: keras.Model, shape: tuple[int | None, ...], num_classes: int, called: str
) -> None:
    if len(shape) != 2:
        raise ValueError(
            f"The {called} must return one logit for each class, [N, classes]: end it with Flatten "
            f"or a global pooling, and Dense. Received: {model.name!r} with {shape}."
        )
    if shape[-1] != num_classes:
        raise ValueError(
            f"The {called} has {shape[-1]} outputs, the data has {num_classes} "
            f"classes: build it with num_classes={num_classes}."
        )


def _output_shape(model: Any, wanted: tuple[int, ...], called: str) -> tuple[int | None, ...]:
    """Return the shape of a model's output, after a look at the images that it takes."""
    if isinstance(model, keras.Sequential) and not model.built:
        with _words(model, wanted, called):
            model.build((None, *wanted))
    if not getattr(model, "inputs", None):
        with _words(model, wanted, called):
            answers = model(keras.ops.zeros((1, *wanted)), training=False)
        shape = getattr(answers, "shape", None)
        if shape is None or len(shape) != 2:
            raise ValueError(
                f"The {called} must return one output [N, classes] from its call. Received: "
                f"{model.name!r} with {type(answers).__name__ if shape is None else tuple(shape)}."
            )
        return tuple(shape)
    shape = tuple(model.inputs[0].shape[1:])
    if len(shape) != len(wanted) or any(
        size not in (None, length) for size, length in zip(shape, wanted, strict=True)
    ):
        build = f"build it with input_shape={wanted}"
        advice = build if called == "model" else f"take another {called}, or images of its shape"
        raise ValueError(
            f"The {called} takes images of shape {shape}, the data has {wanted}: {advice}."
        )
    return tuple(model.outputs[0].shape)


@contextmanager
def _words(model: keras.Model, wanted: tuple[int, ...], called: str) -> Iterator[None]:
    """Say in one line what a model that cannot be called on the images raises."""
    try:
        yield
    except Exception as error:  # a user's own code raises every kind of them
        raise ValueError(
            f"The {called} {model.name!r} cannot be called on images of shape {wanted}: "
            f"{one_line(error)}"
        ) from error
