"""A model with the roundings of the int8 model that TensorFlow Lite will make of it."""

import zlib
from collections import defaultdict

import keras

from kcnn.arithmetic.layer_calls import Call, calls
from kcnn.compress.call_checks import check_calls
from kcnn.compress.qat.layer_kinds import (
    AWARE,
    SAME_SCALE,
    SUMS,
    WEIGHTED,
    L,
    activation_name,
    check_call,
    fixed_bounds,
    is_rectifier,
)
from kcnn.layers import FakeQuantize
from kcnn.models.fold_normalization import find_foldable, scale_and_shift
from kcnn.models.rewrite import call_copy, fast_layer_class, rewrite

PIXELS = (0.0, 255.0)


def fake_quantize_name(name: str) -> str:
    """Return the name of the layer that rounds the output of layer `name`."""
    return f"{name}_fake_quantize"


def training_class_and_options(layer: keras.layers.Layer) -> tuple[type[keras.layers.Layer], dict]:
    """Return class and options with which a copy of a layer is trained fast and repeatably.

    That is, batch norms of kcnn, and dropout that draws the same in every copy.
    """
    config = layer.get_config()
    unseeded = "seed" in config and config["seed"] is None
    seed = {"seed": zlib.crc32(layer.name.encode())} if unseeded else {}
    return fast_layer_class(layer), seed


def insert_fake_quantize(model: keras.Model) -> keras.Model:
    """Return the same network, rounding weights and activations as its int8 file will.

    An int8 model stores a tensor wherever an operator ends, and rounds it there. Operators swallow
    the layers behind them: a convolution its batch norm and ReLU, an addition its ReLU; others
    take over the scale of what they read. What is left gets a `FakeQuantize` behind it. The
    normalisation of the pixels stays, and the kernel behind it is rounded as export will fold it.

    Raises:
        ValueError: a layer cannot be trained for int8; the message names it.
    """
    found = calls(model)
    graph = keras.Model(model.inputs[0], model.outputs[0])
    folded = find_foldable(graph)
    readers = _readers(found)
    producers = {call.outputs[0]: call for call in found}
    scalings = {reader: graph.get_layer(name) for name, reader in folded.items()}
    _check(found, readers, producers, folded)

    def step(call: Call, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        layer, name = call.layer, call.name.replace("/", "_")
        kind, options = training_class_and_options(layer)
        if call.name in scalings:
            scaling = scalings[call.name]
            scale, _ = scale_and_shift(scaling, scaling.output.shape[-1])
            options["input_scale"] = scale.tolist()
        output = call_copy(layer, inputs, AWARE.get(kind, kind), name=name, **options)
        if call.name in folded or layer.__class__ in SAME_SCALE:
            return output
        if swallows(call, readers[call.outputs[0]]):
            return output
        return FakeQuantize(fixed_bounds(layer), name=fake_quantize_name(name))(output)

    def start(image: keras.KerasTensor) -> keras.KerasTensor:
        return FakeQuantize(PIXELS, name=fake_quantize_name(image.name))(image)

    return rewrite(found, step, start, model.name)


def swallows(call: Call, readers: list[Call]) -> bool:
    """Return whether the operator that computes `call` also computes what reads it."""
    if len(readers) != 1:
        return False
    kind, reader = call.layer.__class__, readers[0].layer
    if reader.__class__ is L.Concatenate:
        return True  # not the same operator, but the same scale
    if activation_name(call.layer) != "linear":
        return False
    factor = reader.__class__ in (L.BatchNormalization, L.Rescaling)
    return (kind in WEIGHTED and factor) or (kind in SUMS and is_rectifier(reader))


def _readers(found: list[Call]) -> dict[object, list[Call]]:
    readers = defaultdict(list)
    for call in found:
        for tensor in call.inputs:
            readers[tensor].append(call)
    return readers


def _check(
    found: list[Call],
    readers: dict[object, list[Call]],
    producers: dict[object, Call],
    folded: dict[str, str],
) -> None:
    check_calls(found)
    for call in found:
        if call.inputs and call.name not in folded:
            check_call(call)
            _check_batch_norm(call, readers, producers)


def _check_batch_norm(
    call: Call, readers: dict[object, list[Call]], producers: dict[object, Call]
) -> None:
    """Export makes a depthwise convolution of a batch norm alone, if it normalises maps."""
    source = call.inputs[0]
    if (
        call.layer.__class__ is L.BatchNormalization
        and not swallows(producers[source], readers[source])
        and len(source.shape) != 4
    ):
        raise ValueError(
            f"Layer {call.name!r} (BatchNormalization) cannot be trained for int8: put it right "
            "behind the layer whose sums it normalises, before the activation."
        )
