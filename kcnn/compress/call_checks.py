"""What every technique does first: open the model up, and check its graph."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras

from kcnn.arithmetic.layer_calls import Call
from kcnn.models.final_activation import final_activation
from kcnn.models.fits import check_graph
from kcnn.models.plain_layers import as_layers


def open_up(model: keras.Model, what: str) -> keras.Model:
    """Return a model as one graph of layers that ends in logits, as every technique needs it.

    Args:
        model: of the user; see `kcnn.models.as_layers` for what is changed.
        what: what is about to be done, such as "Pruning"; an error begins with it.

    Raises:
        ValueError: the model has no graph, several inputs or outputs, or a sigmoid for each of
            several classes, of which an image may then have more than one.
    """
    check_graph(model, what)
    if not isinstance(model, keras.Model):
        return model
    classes = model.output_shape[-1]
    if classes > 1 and final_activation(model) in ("sigmoid", "log_sigmoid"):
        raise ValueError(
            f"{what} needs a model that predicts one class an image. Received: {model.name!r}, "
            f"which ends in a sigmoid for each of {classes} classes."
        )
    return as_layers(model, logits=True)


def open_up_teacher(teacher: keras.Model | None) -> keras.Model | None:
    """Return a teacher as one graph of layers that ends in logits, if there is one."""
    return None if teacher is None else open_up(teacher, "A teacher")


def check_engine_takes(engine: str, **given: Any) -> None:
    """Raise ValueError if an argument is given that only kcnn's own training takes."""
    for name, value in given.items():
        if value and engine != "keras":
            raise ValueError(
                f"{name} needs engine='keras': TF-MOT trains in a process of its own. "
                f"Received: engine={engine!r}"
            )


def check_calls(calls: Sequence[Call]) -> None:
    """Check that every call is one of a layer, and that no layer is called twice.

    Args:
        calls: what `kcnn.arithmetic.layer_calls.calls` returns for the model.

    Raises:
        ValueError: a layer is called several times, or an operation such as `x + y` is no layer;
            the message names it and says what to do.
    """
    for name, times in Counter(call.name for call in calls).items():
        if times > 1:
            raise ValueError(f"Layer {name!r} is called {times} times: make a layer for each call.")
    for call in calls:
        if not isinstance(call.layer, keras.layers.Layer):
            raise ValueError(
                f"Layer {call.name!r} ({call.layer.__class__.__name__}) is an operation on "
                "tensors: use a layer in its place."
            )
