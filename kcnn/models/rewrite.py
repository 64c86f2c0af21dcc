"""Rebuild a model layer by layer, with other layers in some places or without some of them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kcnn.arithmetic.layer_calls import Call
from kcnn.layers import BatchNormalization
from kcnn.layers.fast import all_layers
from kcnn.models.copies import copy_layer

# Takes a call of the old model and the new model's tensors that feed it, returns the new output.
Step = Callable[[Call, list[keras.KerasTensor]], keras.KerasTensor]


def rewrite(
    calls: Sequence[Call],
    step: Step,
    start: Callable[[keras.KerasTensor], keras.KerasTensor] = lambda image: image,
    name: str | None = None,
) -> keras.Model:
    """Return the functional model that `step` makes of the calls of another model.

    Args:
        calls: what `kcnn.arithmetic.layer_calls.calls` returns for a model with one input, one
            output and layers of one output each.
        step: is called for every call but that of the input, in order of computation.
        start: what the new model does with its input first.
        name: of the new model.

    >>> from kcnn.arithmetic.layer_calls import calls
    >>> def without_relu(call, inputs):
    ...     relu = isinstance(call.layer, keras.layers.ReLU)
    ...     return inputs[0] if relu else call_copy(call.layer, inputs)
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.ReLU(), keras.layers.Dense(2)])
    >>> [type(layer).__name__ for layer in rewrite(calls(model), without_relu).layers]
    ['InputLayer', 'Dense']
    """
    first, *others = calls
    image: Any = keras.Input(first.outputs[0].shape[1:], name=first.name)
    output = start(image)
    tensors = {first.outputs[0]: output}
    for call in others:
        output = step(call, [tensors[tensor] for tensor in call.inputs])
        tensors[call.outputs[0]] = output
    return keras.Model(image, output, name=name)


def call_copy(
    layer: Any,
    inputs: Sequence[keras.KerasTensor],
    layer_class: type[keras.layers.Layer] | None = None,
    weights: Sequence[np.ndarray] | None = None,
    **options: Any,
) -> keras.KerasTensor:
    """Copy `layer`, call the copy on `inputs` and return its output.

    Args:
        layer: any Keras layer. It is not changed.
        inputs: one tensor or, for layers that merge, several.
        layer_class: of the copy; None for the class of `layer`.
        weights: of the copy; None for those of `layer`.
        **options: of the copy, where they differ from those of `layer`.
    """
    copy = copy_layer(layer, layer_class, **options)
    output = copy(inputs[0] if len(inputs) == 1 else list(inputs))
    weights = layer.get_weights() if weights is None else weights
    if weights:  # a copy of another class may have weights where `layer` has none
        copy.set_weights(weights)
    if isinstance(copy, keras.layers.Normalization):
        copy.finalize_state()  # otherwise an adapted one has no constants yet
    return output


def fast_layer_class(layer: Any) -> type[keras.layers.Layer]:
    """Return the class for a copy of `layer` that trains as fast as a layer built by kcnn.

    A loaded model holds Keras's own batch norms, which TensorFlow does not fuse.

    >>> fast_layer_class(keras.layers.BatchNormalization()).__module__
    'kcnn.layers.batch_norm'
    """
    kind = layer.__class__
    return BatchNormalization if kind is keras.layers.BatchNormalization else kind


def drop_layers(
    model: keras.Model, dropped: Collection[str], absorbed: Mapping[str, Sequence[np.ndarray]]
) -> keras.Model:
    """Return a copy of a functional model in which some layers do the work of others.

    Unlike `rewrite`, it keeps models within the model and whatever arguments a layer is called
    with.

    Args:
        model: it is not changed.
        dropped: names of the layers to leave out; what reads them reads their input instead.
        absorbed: by layer name, the new kernel and bias of the layers that do their work.
    """

    def copy(layer: Any) -> Any:
        biased = {"use_bias": True} if layer.name in absorbed else {}
        return copy_layer(layer, **biased)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return args[0] if layer.name in dropped else layer(*args, **kwargs)

    copied = keras.models.clone_model(model, clone_function=copy, call_function=call)
    for source in model.layers:
        if source.name not in dropped and not isinstance(source, keras.layers.InputLayer):
            weights = absorbed.get(source.name, source.get_weights())
            copied.get_layer(source.name).set_weights(weights)
    for layer in all_layers(copied):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # otherwise an adapted one has no constants yet
    return copied


def find_sole_readers(model: keras.Model) -> dict[str, str]:
    """Return, for each layer that only one other reads, both called once, the name of that one.

    Among them are operations such as `x + y`, which are no layers.
    """
    config = model.get_config()
    calls = [
        (layer["name"], set(_sources(call)))
        for layer in config["layers"]
        for call in layer["inbound_nodes"]
    ]
    times_called = Counter(name for name, _ in calls)
    # The caller of the model, who has no name here, reads its output.
    calls.append(("", set(keras.tree.flatten(config["output_layers"]))))
    readers = {
        name: [reader for reader, sources in calls if name in sources] for name in times_called
    }
    return {
        name: found[0]
        for name, found in readers.items()
        if len(found) == times_called[name] == times_called[found[0]] == 1
    }


def _sources(value: object) -> Iterator[str]:
    """Yield the names of the layers whose outputs occur in one call, as a saved model has it."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        yield value["config"]["keras_history"][0]
    elif isinstance(value, dict):
        yield from _sources(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _sources(item)
