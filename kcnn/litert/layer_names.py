"""The Keras layers that an operator of a `.tflite` model was made from, as the file tells."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kcnn.litert.operators import every_operator
from kcnn.litert.schema import dtype_name, numbers, parse, tensor_at, text

STORING = ("QUANTIZE", "DEQUANTIZE")
"""The operators that change how numbers are stored, not the numbers."""

_FLOATS = {"float32", "float16"}


def layer_names(tensor: str) -> tuple[str, ...]:
    """Return the layers in a tensor's name, `model_1/layer_1/Relu;model_1/...`, the last first.

    >>> layer_names("resnet20_1/stem_conv_relu_1/Relu;resnet20_1/stem_conv_1/Squeeze")
    ('stem_conv_relu', 'stem_conv')
    >>> layer_names("outer_1/inner_1/gelu_1/Gelu/mul_2"), layer_names("logits")
    (('gelu',), ('logits',))
    """
    return tuple(dict.fromkeys(map(_layer_name, tensor.split(";"))))


def _layer_name(part: str) -> str:
    first, *inner = part.split("/")
    numbered = [each for each in inner[:-1] if re.search(r"_\d+$", each)]  # Keras's own numbers
    return re.sub(r"_\d+$", "", [first, *inner[:1], *numbered][-1])


@dataclass(frozen=True)
class NamedOperator:
    """An operator that computes something.

    Attributes:
        kind: what the schema calls it, such as `CONV_2D`.
        tensor: the name of its output.
        dtypes: of all tensors that it reads or writes.
    """

    kind: str
    tensor: str
    dtypes: frozenset[str]

    @property
    def in_floats(self) -> bool:
        """Whether it reads or writes floats."""
        return not self.dtypes.isdisjoint(_FLOATS)

    @property
    def layers(self) -> tuple[str, ...]:
        """The Keras layers that it was made from."""
        return layer_names(self.tensor)


def named_operators(data: bytes) -> Iterator[NamedOperator]:
    """Yield the operators of a verified model that compute, in their order."""
    for graph, operator, kind in every_operator(parse(data)):
        if kind in STORING:
            continue
        places = [*numbers(operator.inputs), *numbers(operator.outputs)]
        # -1 stands for an optional input that is not there.
        dtypes = {dtype_name(tensor_at(graph, place)) for place in places if place >= 0}
        name = text(tensor_at(graph, numbers(operator.outputs)[0]).name)
        yield NamedOperator(kind, name, frozenset(dtypes))


def float_layers(data: bytes) -> tuple[str, ...]:
    """Return the layers that compute in floats in a verified model whose others do not.

    Empty if all of its operators compute in floats, or none does.
    """
    found = [*named_operators(data)]
    names = [each.layers[0] for each in found if each.in_floats]
    return tuple(dict.fromkeys(names)) if len(names) < len(found) else ()
