"""What every technique does first: open the model up, and check its graph."""

from collections import Counter
from collections.abc import Sequence

import keras

from kcnn.arithmetic.layer_calls import Call
from kcnn.models.fits import check_graph
from kcnn.models.plain_layers import as_layers


def open_up(model: keras.Model, what: str) -> keras.Model:
    """Return a model as one graph of layers that ends in logits, as every technique needs it.

    Args:
        model: of the user; see `kcnn.models.as_layers` for what is changed.
        what: what is about to be done, such as "Pruning"; an error begins with it.

    Raises:
        ValueError: the model has no graph, or several inputs or outputs.
    """
    check_graph(model, what)
    return as_layers(model, logits=True) if isinstance(model, keras.Model) else model


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
