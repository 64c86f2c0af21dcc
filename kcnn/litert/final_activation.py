"""Whether a `.tflite` file returns logits or the output of an activation."""

from kcnn.answers import UNKNOWN
from kcnn.litert.schema import numbers, operator_name, parse, tables

_ACTIVATIONS = {"SOFTMAX": "softmax", "LOG_SOFTMAX": "log_softmax", "LOGISTIC": "sigmoid"}
# Operators that return their input's numbers, in another shape or type.
_PASSING = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "CAST")
_WITH_KERNEL = ("FULLY_CONNECTED", "CONV_2D", "BATCH_MATMUL")


def final_activation(data: bytes) -> str | None:
    """Return the activation that computes the first output of a verified model.

    Returns:
        "softmax", "log_softmax" or "sigmoid"; None for a model that ends in the logits of a layer
        with a kernel; `kcnn.answers.UNKNOWN` for any other.
    """
    model = parse(data)
    graph = tables(model.subgraphs)[0]
    makers = {
        place: operator
        for operator in tables(graph.operators)
        for place in numbers(operator.outputs)
    }
    place = numbers(graph.outputs)[0]
    while operator := makers.pop(place, None):
        name = operator_name(model, operator)
        if name not in _PASSING:
            return None if name in _WITH_KERNEL else _ACTIVATIONS.get(name, UNKNOWN)
        place = numbers(operator.inputs)[0]
    return UNKNOWN
