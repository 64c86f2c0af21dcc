"""How much memory a `.tflite` model's activations take while it runs."""

import math

import numpy as np

from kcnn.litert.schema import dtype_name, numbers, parse, tables, tensor_at

BYTES = {"int8": 1, "uint8": 1, "float16": 2, "int16": 2, "float32": 4, "int32": 4, "int64": 8}
"""Bytes per element, by TFLite tensor type; 4 for types not listed."""


def peak_activation_bytes(data: bytes) -> int:
    """Return the largest number of bytes that the activations of a verified model need at once.

    A tensor is kept from the operator that writes it to the last one that reads it. A runtime
    needs some memory of its own besides.
    """
    graph = tables(parse(data).subgraphs)[0]
    operators = tables(graph.operators)
    first, last = {place: 0 for place in numbers(graph.inputs)[:1]}, {}
    for step, operator in enumerate(operators):
        last |= dict.fromkeys(numbers(operator.inputs), step)
        first |= dict.fromkeys(numbers(operator.outputs), step)
    ends = dict.fromkeys(numbers(graph.outputs), len(operators) - 1)
    needed = np.zeros(max(len(operators), 1), np.int64)
    for place, start in first.items():  # no operator writes a constant
        end = max(last.get(place, start), ends.get(place, start))
        tensor = tensor_at(graph, place)
        elements = math.prod(numbers(tensor.shape))
        needed[start : end + 1] += elements * BYTES.get(dtype_name(tensor), 4)
    return int(needed.max())
