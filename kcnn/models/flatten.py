"""One model made of a model and the models inside it."""

from typing import Any

import keras

from kcnn.models.copies import copy_layer


def flatten(base: keras.Model) -> keras.Model:
    """Return a functional copy of a model with new layers, none of which is a model.

    Use it before pruning, slimming or training for int8, which follow the layers of one graph.

    Args:
        base: any Sequential or functional model with one input and one output. It is not changed.

    Raises:
        ValueError: the model has no graph, several inputs or outputs, or a layer that cannot be
            copied.

    >>> image = keras.Input((8, 8, 3))
    >>> body = keras.Sequential([image, keras.layers.Conv2D(4, 3, name="conv")], name="body")
    >>> model = keras.Sequential([image, body, keras.layers.Flatten(name="flatten")])
    >>> [layer.name for layer in flatten(model).layers][1:]
    ['conv', 'flatten']
    """
    ends = [len(getattr(base, end, None) or ()) for end in ("inputs", "outputs")]
    if ends != [1, 1]:
        raise ValueError(
            f"Model {base.name!r} must be a built graph with one input and one output, of "
            f"keras.Sequential or keras.Model(inputs, outputs). Received: {ends[0]} and {ends[1]}."
        )
    # As a functional model of the same layers, a Sequential is cloned like all others.
    copy = _clone(keras.Model(base.inputs[0], base.outputs[0], name=base.name))
    if not _has_models(copy):
        return copy
    while _has_models(copy):
        copy = keras.models.clone_model(
            copy, clone_function=lambda layer: layer, call_function=_call_inner_layers
        )
    # These layers were called more than once; a clone's have a single output each.
    return _clone(copy)


def _clone(model: keras.Model) -> keras.Model:
    clone = keras.models.clone_model(
        model, clone_function=copy_layer, call_function=_call_without_conversion
    )
    clone.set_weights(model.get_weights())
    for layer in clone._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # otherwise an adapted one has no constants yet
    return clone


def _call_without_conversion(layer: Any, *args: Any, **kwargs: Any) -> Any:
    # A model that is called inside another one converts its input to its dtype first.
    is_conversion = type(layer).__name__ == "ConvertToTensor"
    same = is_conversion and args[0].dtype == layer.dtype
    return args[0] if same else layer(*args, **kwargs)


def _has_models(model: keras.Model) -> bool:
    return any(isinstance(layer, keras.Model) for layer in model.layers)


def _call_inner_layers(layer: Any, *args: Any, **kwargs: Any) -> Any:
    # The method `call` of a model inside the model runs its layers one by one.
    return layer.call(*args) if isinstance(layer, keras.Model) else layer(*args, **kwargs)
