"""Which layers of a model lie on every path from its image to its output."""

import keras

from kcnn.arithmetic.layer_calls import Tensor, calls


def on_every_path(model: keras.Model) -> frozenset[str] | None:
    """Return the names of the layers that every path from the image to the output passes.

    They are the dominators of the output in the graph of the layers' calls. Of a layer that is
    called more than once, the last call counts.

    Returns:
        None for a model whose graph cannot be seen.

    >>> image = keras.Input((8, 8, 3))
    >>> x = keras.layers.Conv2D(4, 3, name="stem")(image)
    >>> halves = [keras.layers.Conv2D(4, 3, name=name)(x) for name in ("left", "right")]
    >>> both = keras.layers.Concatenate(name="both")(halves)
    >>> model = keras.Model(image, keras.layers.GlobalAveragePooling2D(name="mean")(both))
    >>> {"stem", "both", "mean"} <= on_every_path(model), "left" in on_every_path(model)
    (True, False)
    """
    try:
        found = calls(model)
    except ValueError:
        return None
    passed: dict[Tensor, frozenset[int]] = {}
    for place, call in enumerate(found):
        before = [passed[tensor] for tensor in call.inputs if tensor in passed]
        if call.inputs and not before:
            continue  # it depends on no image
        common = frozenset.intersection(*before) if before else frozenset()
        passed |= dict.fromkeys(call.outputs, common | {place})
    last = {call.name: place for place, call in enumerate(found)}
    dominators = passed.get(found[-1].outputs[0], frozenset())
    return frozenset(name for name, place in last.items() if place in dominators)
