"""Check that a model fits the data, before training starts."""

from collections.abc import Sequence

import keras

from kcnn.models.interface import final_activation


def check_fit(
    model: keras.Model, image_shape: Sequence[int], num_classes: int, *, called: str = "model"
) -> None:
    """Refuse a model that does not take such images, or does not return one logit per class.

    Args:
        model: with one input and one output.
        image_shape: (height, width, channels) of the data.
        num_classes: of the data.
        called: what the message calls the model, such as "teacher".

    Raises:
        ValueError: the model takes images of another shape, predicts another number of classes, or
            ends in an activation that turns the logits into probabilities.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
    >>> check_fit(model, (8, 8, 3), 10)
    Traceback (most recent call last):
    ValueError: The model has 192 outputs, the data has 10 classes: build it with num_classes=10.
    """
    shape, wanted = tuple(model.input_shape[1:]), tuple(image_shape)
    if len(shape) != len(wanted) or any(
        size not in (None, length) for size, length in zip(shape, wanted, strict=True)
    ):
        raise ValueError(
            f"The {called} takes images of shape {shape}, the data has {wanted}: "
            f"build it with input_shape={wanted}."
        )
    if model.output_shape[-1] != num_classes:
        raise ValueError(
            f"The {called} has {model.output_shape[-1]} outputs, the data has {num_classes} "
            f"classes: build it with num_classes={num_classes}."
        )
    activation = final_activation(model)
    if activation is not None:
        last = model.layers[-1].name
        raise ValueError(
            f"The {called} must end in logits, but its last layer {last!r} applies "
            f"{activation}: remove the activation."
        )
