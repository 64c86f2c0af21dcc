"""How much memory a `.tflite` model's activations take while it runs."""

import math

import numpy as np
from ai_edge_litert import schema_py_generated as schema

BYTES = {
    schema.TensorType.INT8: 1,
    schema.TensorType.UINT8: 1,
    schema.TensorType.FLOAT16: 2,
    schema.TensorType.INT16: 2,
    schema.TensorType.FLOAT32: 4,
    schema.TensorType.INT32: 4,
    schema.TensorType.INT64: 8,
}
"""Of one number, where it is not 4."""


def peak_activation_bytes(data: bytes) -> int:
    """Return the most bytes that are needed at once by what a verified model's operators hand on.

    A tensor is kept from the operator that makes it to the last one that reads it. A runtime adds
    its own needs to this.
    """
    graph = schema.Model.GetRootAs(data).Subgraphs(0)
    first, last = {graph.Inputs(0): 0}, {}
    count = graph.OperatorsLength()
    for place in range(count):
        operator = graph.Operators(place)
        for index in operator.InputsAsNumpy():
            last[int(index)] = place
        for index in operator.OutputsAsNumpy():
            first[int(index)] = place
    ends = {graph.Outputs(each): count - 1 for each in range(graph.OutputsLength())}
    needed = np.zeros(max(count, 1), np.int64)
    for index, start in first.items():  # constants are made by no operator
        tensor = graph.Tensors(index)
        shape = [tensor.Shape(axis) for axis in range(tensor.ShapeLength())]
        end = max(last.get(index, start), ends.get(index, start))
        needed[start : end + 1] += math.prod(shape) * BYTES.get(tensor.Type(), 4)
    return int(needed.max())
