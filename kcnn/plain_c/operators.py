"""What plain C knows: each operator of TensorFlow Lite, and the function that writes it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from kcnn.errors import listed
from kcnn.plain_c import layers, lookup, windows
from kcnn.plain_c.code import At, Code
from kcnn.plain_c.graph import Network, Step

LAYERS: Mapping[str, Callable[[Step, At], Code]] = MappingProxyType(
    {
        "CONV_2D": windows.convolution,
        "DEPTHWISE_CONV_2D": windows.depthwise_convolution,
        "FULLY_CONNECTED": layers.dense,
        "MAX_POOL_2D": windows.max_pooling,
        "AVERAGE_POOL_2D": windows.average_pooling,
        "MEAN": layers.mean,
        "REDUCE_MAX": layers.largest,
        "ADD": layers.add,
        "MUL": layers.multiply,
        "PAD": layers.padding,
        "PADV2": layers.padding,
        "CONCATENATION": layers.concatenation,
        "SOFTMAX": layers.softmax,
    }
)
"""The operators that have a kernel in C, beside those of each number alone, see `lookup`."""

RENAMED = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
"""Operators that change nothing but the shape: they cost no memory and no time."""


def check_operators(network: Network, path: Path) -> None:
    """Refuse a network with an operator that plain C does not know.

    Args:
        network: of the file.
        path: the file, which the error names.

    Raises:
        ValueError: the message names all such operators, and all that are known.
    """
    foreign = {step.operator: step.output.name for step in network.steps if not _is_known(step)}
    if foreign:
        named = [f"{operator} ({name[:60]})" for operator, name in foreign.items()]
        raise ValueError(
            f"Plain C has no code for {listed(named)} of {path}. It knows "
            f"{', '.join((*LAYERS, *RENAMED))}, and of single numbers {', '.join(lookup.NAMES)}. "
            "Export a .tflite file for this network."
        )


def code_of(step: Step, at: At, data: bytes) -> Code | None:
    """Return an operator in C, None for one that changes nothing but the shape.

    Args:
        step: an operator that `check_operators` knows.
        at: where the values are.
        data: the bytes of the file.

    Raises:
        ValueError: the operator is used in a way that plain C has no code for.
    """
    if step.operator in RENAMED:
        if step.source.data is not None:
            raise ValueError(f"Plain C reshapes maps. Received: {step.operator} of a constant.")
        return None
    if lookup.is_table(step):
        return lookup.look_up(step, at, data)
    for value in (*step.inputs[:1], step.output):
        if value is not None and value.dtype != "int8":
            raise ValueError(f"Plain C's {step.operator} computes int8. Received: {value.dtype}.")
    return LAYERS[step.operator](step, at)


def works_in_place(step: Step) -> bool:
    """Return whether an operator may write its output over an input of the same size."""
    return lookup.is_table(step) or step.operator in ("ADD", "MUL")


def _is_known(step: Step) -> bool:
    return step.operator in (*LAYERS, *RENAMED) or lookup.is_table(step)
