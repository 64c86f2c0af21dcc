"""What every way to shrink a network asks of its graph."""

from collections import Counter
from collections.abc import Sequence

import keras

from kcnn.arithmetic.layer_calls import Call


def check_calls(found: Sequence[Call]) -> None:
    """Check that each call is that of a layer of its own.

    Raises:
        ValueError: a layer is called several times, or an operation is no layer; the message names
            it and says what to do.
    """
    for name, times in Counter(call.name for call in found).items():
        if times > 1:
            raise ValueError(f"Layer {name!r} is called {times} times: make a layer for each call.")
    for call in found:
        if not isinstance(call.layer, keras.layers.Layer):
            raise ValueError(
                f"Layer {call.name!r} ({call.layer.__class__.__name__}) is an operation on "
                "tensors: use a layer, such as keras.layers.Add() for x + y."
            )
