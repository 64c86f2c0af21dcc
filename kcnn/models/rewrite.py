"""A model built anew, layer by layer, with other layers in places."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from kcnn.arithmetic.graph import Call
from kcnn.layers import BatchNormalization

# From a call of the old model and what the new one feeds it, what the new model has for it.
Step = Callable[[Call, list[keras.KerasTensor]], keras.KerasTensor]


def rewritten(
    found: Sequence[Call],
    step: Step,
    start: Callable[[keras.KerasTensor], keras.KerasTensor] = lambda image: image,
    name: str | None = None,
) -> keras.Model:
    """Return the functional model that consists of what `step` makes of each call of a layer.

    Args:
        found: `kcnn.arithmetic.graph.calls` of a model with one input, one output, and layers of
            one output each.
        step: is given every call but that of the input, in order of computation.
        start: what the new model does with its input before all else.
        name: of the new model.

    >>> from kcnn.arithmetic.graph import calls
    >>> def without_relu(call, inputs):
    ...     relu = isinstance(call.layer, keras.layers.ReLU)
    ...     return inputs[0] if relu else again(call.layer, inputs)
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.ReLU(), keras.layers.Dense(2)])
    >>> [type(layer).__name__ for layer in rewritten(calls(model), without_relu).layers]
    ['InputLayer', 'Dense']
    """
    tensors = {}
    for call in found:
        if call.inputs:
            made = step(call, [tensors[tensor] for tensor in call.inputs])
        else:
            image = keras.Input(call.outputs[0].shape[1:], name=call.name)
            made = start(image)
        tensors[call.outputs[0]] = made
    return keras.Model(image, made, name=name)


def again(
    layer: keras.layers.Layer,
    inputs: Sequence[keras.KerasTensor],
    layer_class: type[keras.layers.Layer] | None = None,
    weights: Sequence[np.ndarray] | None = None,
    **options,
) -> keras.KerasTensor:
    """Call a new layer like `layer` on `inputs`.

    Args:
        layer: the old one.
        inputs: one or, for layers that merge, several.
        layer_class: of the new layer; None for that of the old one.
        weights: of the new layer; None for those of the old one.
        **options: of the new layer, where they are not those of the old one.
    """
    new = (layer_class or layer.__class__).from_config(layer.get_config() | options)
    output = new(inputs[0] if len(inputs) == 1 else list(inputs))
    weights = layer.get_weights() if weights is None else weights
    if weights:  # a layer without may become one with weights, and has its own to start with
        new.set_weights(weights)
    if isinstance(new, keras.layers.Normalization):
        new.finalize_state()  # otherwise one that was adapted has no constants yet
    return output


def trained_fast(layer: keras.layers.Layer) -> type[keras.layers.Layer]:
    """Return the class of a new layer like `layer` that trains as fast as one that was built here.

    A saved model holds Keras's own batch norms, which TensorFlow does not fuse.

    >>> trained_fast(keras.layers.BatchNormalization()).__module__
    'kcnn.layers.batch_norm'
    """
    kind = layer.__class__
    return BatchNormalization if kind is keras.layers.BatchNormalization else kind
