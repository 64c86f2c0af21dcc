"""Pieces of C: what an operator becomes, and how its numbers are written."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kcnn.plain_c.graph import Value

_WIDTH = 100
_BYTES = {"int8_t": 1, "uint8_t": 1, "int32_t": 4, "uint64_t": 8}

At = Callable[[Value], str]
"""Returns the C expression for the memory of a value."""


class Constant(NamedTuple):
    """A definition in C.

    Attributes:
        text: of the definition.
        bytes: of an array; 0 for a structure, whose size depends on the chip.
    """

    text: str
    bytes: int = 0


@dataclass(frozen=True)
class Code:
    """An operator in C.

    Attributes:
        call: a statement.
        kernels: names of the functions that it needs, in the folder `kernels`.
        constants: definitions of its constants.
    """

    call: str
    kernels: tuple[str, ...]
    constants: tuple[Constant, ...] = ()


def array(kind: str, name: str, values: np.ndarray | Iterable[int]) -> Constant:
    """Return the definition of a constant array.

    >>> print(array("int8_t", "bias_3", [1, -2]).text)
    static const int8_t bias_3[2] = {
      1, -2,
    };
    """
    numbers = np.asarray(values).ravel().tolist()
    suffix = "ull" if kind == "uint64_t" else ""
    lines, line = [], "  "
    for number in numbers:
        # C reads -2147483648 as the negative of a number that is no int.
        text = "-2147483647 - 1" if number == -(2**31) else f"{number}{suffix}"
        if len(line) + len(text) + 1 > _WIDTH:
            lines.append(line.rstrip())
            line = "  "
        line += f"{text}, "
    body = "\n".join([*lines, line.rstrip()])
    text = f"static const {kind} {name}[{len(numbers)}] = {{\n{body}\n}};"
    return Constant(text, _BYTES[kind] * len(numbers))


def structure(kind: str, name: str, values: Iterable[object]) -> Constant:
    """Return the definition of a constant structure.

    >>> structure("Window", "window_3", [2, 2]).text
    'static const Window window_3 = {2, 2};'
    """
    return Constant(f"static const {kind} {name} = {{{', '.join(map(str, values))}}};")


def map_of(value: Value) -> str:
    """Return a feature map's size as a `Map`. A vector has one pixel.

    Raises:
        ValueError: the value is no feature map and no vector.
    """
    shape = value.shape[1:]
    if not 1 <= len(shape) <= 3:
        raise ValueError(f"Plain C has maps and vectors. Received: shape {value.shape}.")
    height, width, channels = (*[1] * (3 - len(shape)), *shape)
    return f"(Map){{{height}, {width}, {channels}}}"


def levels(name: str, source: int, target: int, clamped: tuple[int, int]) -> Constant:
    """Return the definition of a `Levels`: both zero points, the smallest and largest output."""
    return structure("Levels", name, (source, target, *clamped))
