"""Layers of an integer file that compute in floats."""

from collections.abc import Sequence

from kcnn.errors import unknown
from kcnn.export.modes import Quantization
from kcnn.litert.layer_names import named_operators
from kcnn.litert.schema import numbers, parse, tables, tensor_at, text


def check_exclude(exclude: Sequence[str], mode: Quantization, *, learned: bool) -> tuple[str, ...]:
    """Return the names of layers that stay in floats.

    Args:
        exclude: what the user passed.
        mode: how the file stores numbers.
        learned: whether the model comes from quantization-aware training.

    Raises:
        ValueError: they are no names, or the file has no integers that they could be excluded from.
    """
    if isinstance(exclude, str) or not all(isinstance(name, str) for name in exclude):
        raise ValueError(f"exclude must be a list of layers' names. Received: {exclude!r}.")
    if exclude and not (mode.calibrated and mode.activation_bits == 8):
        raise ValueError(
            'exclude is for quantization="int8" and "int4", whose other layers compute in int8.'
        )
    if exclude and learned:
        raise ValueError(
            "exclude needs a model whose ranges are measured, and this one has learned them in "
            "quantization-aware training: export the model that it was made from, or its control."
        )
    return tuple(exclude)


def float_tensors(calibrated: bytes, exclude: Sequence[str], output: str) -> set[str]:
    """Return the names of the tensors that the operators of excluded layers write.

    Args:
        calibrated: a model as the converter writes it before it is quantized.
        exclude: names of Keras layers.
        output: the name of the last layer, which the converter does not keep.

    Raises:
        ValueError: the file has no operator of a layer of this name.
    """
    if not exclude:
        return set()
    found = {each.tensor: {*each.layers} for each in named_operators(calibrated)}
    graph = tables(parse(calibrated).subgraphs)[0]
    for place in numbers(graph.outputs):
        found[text(tensor_at(graph, place).name)] = {output}
    known = set().union(*found.values())
    for name in exclude:
        if name not in known:
            raise unknown("layer in exclude", name, known)
    return {tensor for tensor, layers in found.items() if not layers.isdisjoint(exclude)}
