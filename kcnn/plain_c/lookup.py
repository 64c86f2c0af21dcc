"""Operators of each number alone, as tables of 256 numbers that LiteRT itself computes."""

from typing import Any, cast

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from kcnn.errors import one_line
from kcnn.litert.native_log import native_log
from kcnn.litert.schema import numbers, parse, serialize, tables, tensor_at
from kcnn.plain_c.code import At, Code, array
from kcnn.plain_c.graph import Step

_FUNCTIONS = (
    *("ABS", "ELU", "EXP", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOG", "LOGISTIC", "QUANTIZE"),
    *("RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "RSQRT", "SQUARE", "TANH"),
)
_WITH_A_NUMBER = ("ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "SUB")

NAMES = (*_FUNCTIONS, *_WITH_A_NUMBER)
"""Operators that may be tables; those of two operands only with a constant of one element."""


def is_table(step: Step) -> bool:
    """Return whether an operator computes each number from one number of its input."""
    if step.operator in _FUNCTIONS:
        return len(step.inputs) == 1
    constants = [each for each in step.inputs if each is not None and each.data is not None]
    single = len(constants) == 1 and constants[0].size == 1
    return step.operator in _WITH_A_NUMBER and len(step.inputs) == 2 and single


def look_up(step: Step, at: At, data: bytes) -> Code:
    """Return an operator as a table.

    Args:
        step: the operator.
        at: where the values are.
        data: the bytes of the file.

    Raises:
        ValueError: LiteRT has no int8 kernel of the operator.
    """
    (source,) = [each for each in step.inputs if each is not None and each.data is None]
    name, target = f"table_{step.index}", step.output
    table = array("int8_t", name, _table(data, step, source.place, source.dtype).view(np.int8))
    call = f"look_up({at(source)}, {at(target)}, {target.size}, {name});"
    return Code(call, ("look_up",), (table,))


def _table(data: bytes, step: Step, place: int, dtype: str) -> np.ndarray:
    """Return what LiteRT's reference kernel computes for the bytes 0 to 255."""
    every_byte = np.arange(256, dtype=np.uint8).reshape(1, 1, 1, 256)
    with native_log():
        try:
            interpreter = Interpreter(
                model_content=_single_operator(data, step.index, place),
                experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            )
            interpreter.allocate_tensors()
            (index,) = [each["index"] for each in interpreter.get_input_details()]
            interpreter.set_tensor(index, every_byte.view(dtype))
            interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            reason = one_line(error)
            raise ValueError(f"LiteRT has no int8 {step.operator} ({reason}).") from error
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel()


def _single_operator(data: bytes, index: int, place: int) -> bytes:
    """Return a model of one operator of a file, on 256 numbers."""
    model = parse(data)
    graph = tables(model.subgraphs)[0]
    operator = tables(graph.operators)[index]
    (target,) = numbers(operator.outputs)
    kept = {tensor_at(graph, each).buffer for each in numbers(operator.inputs)}
    for number, buffer in enumerate(tables(model.buffers)):
        if number not in kept:
            buffer.data = None
    for each in (place, target):
        tensor = cast(Any, tensor_at(graph, each))
        tensor.shape, tensor.shapeSignature = [1, 1, 1, 256], None
    graph.operators, graph.inputs, graph.outputs = [operator], [place], [target]
    model.signatureDefs, model.metadata = None, None
    return serialize(model)
