"""A model as one graph of layers: what pruning, slimming and training for int8 can follow.

Models of others hold other models, layers that act in training only, operations such as `x + y`,
adapted constants and inputs of integers. This file makes an equal model without them.
"""

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from kcnn.arithmetic.nodes import times_called
from kcnn.models.channel_order import Reordering, find_reordering, source_of_channels
from kcnn.models.copies import copy_layer
from kcnn.models.final_activation import find_final_operation
from kcnn.models.flatten import flatten
from kcnn.models.operation_layers import as_layer

logger = logging.getLogger("kcnn")

L = keras.layers

_AUGMENTATIONS = ("Random", "RandAugment", "AugMix", "MixUp", "CutMix")


def is_plain(model: keras.Model) -> bool:
    """Return whether a model is one graph of layers on float images already."""
    return model.inputs[0].dtype == "float32" and all(
        _is_plain(operation) for operation in _operations(model)
    )


def as_layers(model: keras.Model, *, logits: bool = False) -> keras.Model:
    """Return the same function of images, in inference, as one graph of layers with new weights.

    Models inside the model are opened. Left out are layers that act in training only, such as
    `RandomFlip`. Operations on tensors become layers where there is one that computes the same:
    `x + y` becomes `Add`, `x / 127.5` a `Rescaling`. A convolution that reads `x[..., ::-1]`, blue
    before red, gets a kernel that reads `x`. An adapted `Normalization` becomes one with constants.
    The input becomes float32.

    Args:
        model: Sequential or functional, with one input and one output. It is not changed.
        logits: leave out the softmax or the sigmoid that ends the model.

    Returns:
        A new functional model; `model` itself if there is nothing to change.

    Raises:
        ValueError: the model has no graph, or several inputs or outputs.

    >>> image = keras.Input((8, 8, 3), dtype="uint8")
    >>> x = keras.layers.Conv2D(4, 3)(keras.layers.RandomFlip()(keras.ops.cast(image, "float32")))
    >>> [type(layer).__name__ for layer in as_layers(keras.Model(image, x / 2)).layers]
    ['InputLayer', 'Conv2D', 'Rescaling']
    """
    if is_plain(model) and not (logits and find_final_operation(model)[0]):
        return model
    flat = flatten(model)
    last: Any = _last_activation(flat) if logits else None
    linear = last.name if last is not None and getattr(last, "weights", ()) else None
    dropped = last.name if last is not None and linear is None else None
    reordering = find_reordering(flat)
    call = _Calls(dropped, reordering)

    def copy(operation: Any) -> Any:
        return _copy(operation, linear=operation.name == linear)

    image: Any = keras.Input(flat.inputs[0].shape[1:], name=flat.inputs[0].name)
    copied = keras.models.clone_model(
        flat, input_tensors=image, clone_function=copy, call_function=call
    )
    _copy_weights(flat, copied, reordering)
    if last is not None:
        logger.info(
            "%s: the activation of %r is left out; the result ends in logits", model.name, last.name
        )
    if call.left_out:
        names = ", ".join(call.left_out)
        logger.info("%s: %s act in training only and are left out", model.name, names)
    return copied


@dataclass
class _Calls:
    """How the copy of a model calls its operations.

    Attributes:
        dropped: name of an activation to leave out.
        reordering: of channels, to leave out, as a convolution does it.
        left_out: names of the layers that act in training only.
        times: how many layers were made of each operation.
    """

    dropped: str | None
    reordering: Reordering | None = None
    left_out: list[str] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)

    def __call__(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        if _acts_in_training_only(operation):
            self.left_out.append(operation.name)
            return args[0]
        if operation.name == self.dropped:
            return args[0]
        if self.reordering is not None and operation.name == self.reordering.name:
            return source_of_channels(args)
        if self.reordering is not None and operation.name in self.reordering.between:
            args = self.reordering.undo_constants(args)
        layer = isinstance(operation, L.Layer)
        replaced = None if layer else as_layer(operation, args, kwargs)
        if replaced is None:
            return operation(*args, **kwargs)
        made = replaced._keras_history.operation
        if made.name == operation.name:  # of a model that is called twice, two layers are made
            self.times[made.name] += 1
            made.name += f"_call_{self.times[made.name]}" if self.times[made.name] > 1 else ""
        return replaced


def _last_activation(flat: Any) -> Any:
    """Return the operation that makes probabilities of the logits, None for a model without."""
    last, _ = find_final_operation(flat)
    times = times_called(flat, last)
    if times > 1:
        raise ValueError(
            f"Layer {last.name!r} is called {times} times: make a layer for each call."
        )
    return last


def _operations(model: keras.Model) -> list[Any]:
    graph: Any = keras.Model(model.inputs, model.outputs)
    return [operation for operation in graph.operations if not isinstance(operation, L.InputLayer)]


def _is_plain(operation: Any) -> bool:
    if not isinstance(operation, L.Layer) or isinstance(operation, keras.Model):
        return False
    return not _acts_in_training_only(operation) and not _is_adapted(operation)


def _acts_in_training_only(operation: Any) -> bool:
    kind = type(operation)
    return (
        kind.__module__.startswith("keras.")
        and "preprocessing" in kind.__module__
        and kind.__name__.startswith(_AUGMENTATIONS)
        and kind.__name__ != "RandomCrop"  # it crops the center in inference
    )


def _is_adapted(operation: Any) -> bool:
    return type(operation) is L.Normalization and operation.input_mean is None


def _copy(operation: Any, *, linear: bool) -> Any:
    if _is_adapted(operation):
        mean, variance = (np.ravel(each) for each in (operation.mean, operation.variance))
        return L.Normalization(
            axis=operation.axis,
            mean=mean.tolist(),
            variance=variance.tolist(),
            invert=operation.invert,
            name=operation.name,
        )
    return copy_layer(operation, **({"activation": "linear"} if linear else {}))


def _copy_weights(source: keras.Model, target: keras.Model, reordering: Reordering | None) -> None:
    layers = {layer.name: layer for layer in target.layers}
    for layer in source.layers:
        copied = layers.get(layer.name)
        if copied is not None and len(copied.weights) == len(layer.weights):
            weights = layer.get_weights()
            if reordering is not None and layer.name == reordering.convolution:
                weights = reordering.undo_kernel(weights)
            copied.set_weights(weights)
