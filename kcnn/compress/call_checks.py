"""The check that every technique makes of a model's graph: one layer for each call."""

from collections import Counter
from collections.abc import Sequence

import keras

from kcnn.arithmetic.layer_calls import Call


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
                "tensors: use a layer, such as keras.layers.Add() for x + y."
            )
