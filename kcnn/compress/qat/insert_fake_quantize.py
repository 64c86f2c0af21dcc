"""Insert into a model the roundings of the int8 file that TensorFlow Lite will make of it."""

import zlib
from collections import defaultdict
from typing import Any

import keras

from kcnn.arithmetic.layer_calls import Call, Tensor, calls
from kcnn.compress.call_checks import check_calls
from kcnn.compress.qat.layer_kinds import (
    ACTIVATIONS,
    AWARE,
    NARROW,
    RELUS,
    SAME_SCALE,
    SUMS,
    WEIGHTED,
    L,
    activation_name,
    check_call,
    fixed_bounds,
    is_relu,
    is_shift,
)
from kcnn.layers import FakeQuantize
from kcnn.models.fold_normalization import find_foldable, scale_and_shift
from kcnn.models.rewrite import call_copy, fast_layer_class, rewrite

PIXELS = (0.0, 255.0)
_RANK_OF_IMAGES = 4  # the range of other inputs is learned


def fake_quantize_name(name: str) -> str:
    """Return the name of the layer that rounds the output of layer `name`."""
    return f"{name}_fake_quantize"


def training_class_and_options(
    layer: keras.Operation,
) -> tuple[type[keras.layers.Layer], dict[str, Any]]:
    """Return the class and the options for a copy of a layer that trains fast and repeatably.

    Batch norms become those of kcnn. Dropouts get a seed from their name, so that the model and its
    control drop the same units.
    """
    config = layer.get_config()
    unseeded = "seed" in config and config["seed"] is None
    seed = {"seed": zlib.crc32(layer.name.encode())} if unseeded else {}
    return fast_layer_class(layer), seed


def insert_fake_quantize(model: keras.Model, weight_bits: int = 8) -> keras.Model:
    """Return a copy of `model` that rounds weights and activations as its int8 file will.

    An int8 model rounds the output of every operator. TensorFlow Lite fuses layers into one
    operator: a convolution with its batch norm and ReLU, an addition with its ReLU. Other layers,
    such as poolings, keep the scale of their input. Every remaining layer gets a `FakeQuantize`
    behind it. The normalization of the pixels stays, and the kernel behind it is rounded after the
    scaling that export folds into it.

    Args:
        model: the model. It is not changed.
        weight_bits: 8, or 4 for an int4 file, of whose kernels some have 8 bits.

    Raises:
        ValueError: a layer cannot be trained for int8, or no kernel can have 4 bits; the message
            names it.
    """
    found = calls(model)
    graph = keras.Model(model.inputs[0], model.outputs[0])
    folded = find_foldable(graph)
    readers = _find_readers(found)
    producers = {call.outputs[0]: call for call in found}
    scalings = {reader: graph.get_layer(name) for name, reader in folded.items()}
    _check(found, readers, producers, folded)
    own = _kernel_options(found, scalings, weight_bits)

    def step(call: Call, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        layer, name = call.layer, call.name.replace("/", "_")
        kind, options = training_class_and_options(layer)
        options |= own.get(call.name, {})
        activation = activation_name(layer)
        apart = layer.__class__ in WEIGHTED and activation not in ("linear", *RELUS)
        if apart:  # another operator, with a rounding in between
            options["activation"] = "linear"
        output = call_copy(layer, inputs, AWARE.get(kind, kind), name=name, **options)
        if call.name in folded or layer.__class__ in SAME_SCALE:
            return output
        if apart:
            output = FakeQuantize(name=fake_quantize_name(f"{name}_linear"))(output)
            output = L.Activation(activation, name=f"{name}_{activation}")(output)
            return FakeQuantize(ACTIVATIONS[activation], name=fake_quantize_name(name))(output)
        if is_fused(call, readers[call.outputs[0]]):
            return output
        return FakeQuantize(fixed_bounds(layer), name=fake_quantize_name(name))(output)

    def start(image: keras.KerasTensor) -> keras.KerasTensor:
        bounds = PIXELS if len(image.shape) == _RANK_OF_IMAGES else None
        return FakeQuantize(bounds, name=fake_quantize_name(image.name))(image)

    return rewrite(found, step, start, model.name)


def _kernel_options(
    found: list[Call], scalings: dict[str, Any], weight_bits: int
) -> dict[str, dict[str, Any]]:
    """Return the options of the layers that round their kernels, by the layers' names.

    Args:
        found: all calls.
        scalings: the layers that export folds into kernels, by the names of the kernels' layers.
        weight_bits: as for `insert_fake_quantize`.
    """
    own: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, scaling in scalings.items():
        affine = scale_and_shift(scaling, scaling.output.shape[-1])
        if affine is not None:  # always, for what can be folded
            own[name]["input_scale"] = affine[0].tolist()
    for call in found:
        if call.layer.__class__ is L.Dense:
            own[call.name]["per_channel"] = False  # as in the file that export writes
    for name in _narrow(found) if weight_bits == 4 else ():
        own[name]["weight_bits"] = 4
    return own


def _narrow(found: list[Call]) -> set[str]:
    """Return the names of the layers whose kernels an int4 file stores in 4 bits.

    The first and the last kernel hold few weights and lose most; depthwise kernels do, too.
    Depthwise kernels of one pixel are neither: export makes some of batch norms and scalings.
    """
    kernels = [
        call.name
        for call in found
        if call.layer.__class__ in WEIGHTED and not _scales_channels(call.layer)
    ]
    wide = {kernels[0], kernels[-1]} if kernels else set()
    narrow = {call.name for call in found if call.layer.__class__ in NARROW} - wide
    if not narrow:
        raise ValueError(
            "An int4 file keeps the first and the last kernel, and depthwise ones, in 8 bits, and "
            "this model has no others: train it with weight_bits=8."
        )
    return narrow


def _scales_channels(layer: Any) -> bool:
    return isinstance(layer, L.DepthwiseConv2D) and layer.kernel_size == (1, 1)


def is_fused(call: Call, readers: list[Call]) -> bool:
    """Return whether one operator computes `call` and the layer that reads its output."""
    if len(readers) != 1:
        return False
    kind, reader = call.layer.__class__, readers[0].layer
    if reader.__class__ is L.Concatenate:
        return True  # another operator, but its output has the same scale
    if activation_name(call.layer) != "linear":
        return False
    scales = reader.__class__ in (L.BatchNormalization, L.Rescaling) and not is_shift(reader)
    return (kind in WEIGHTED and scales) or (kind in SUMS and is_relu(reader))


def _find_readers(found: list[Call]) -> dict[Tensor, list[Call]]:
    readers: dict[Tensor, list[Call]] = defaultdict(list)
    for call in found:
        for tensor in call.inputs:
            readers[tensor].append(call)
    return readers


def _check(
    found: list[Call],
    readers: dict[Tensor, list[Call]],
    producers: dict[Tensor, Call],
    folded: dict[str, str],
) -> None:
    check_calls(found)
    for call in found:
        if call.inputs and call.name not in folded:
            check_call(call)
            _check_batch_norm(call, readers, producers)


def _check_batch_norm(
    call: Call, readers: dict[Tensor, list[Call]], producers: dict[Tensor, Call]
) -> None:
    """Refuse a batch norm that export cannot fold.

    A standalone batch norm becomes a depthwise convolution, which needs a feature map [N, H, W, C].
    """
    source = call.inputs[0]
    if (
        call.layer.__class__ is L.BatchNormalization
        and not is_fused(producers[source], readers[source])
        and len(source.shape) != 4
    ):
        raise ValueError(
            f"Layer {call.name!r} (BatchNormalization) cannot be trained for int8: put it directly "
            "behind the layer whose output it normalizes, before the activation."
        )
