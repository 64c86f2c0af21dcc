"""Whether a `.tflite` file returns logits or the output of an activation."""

from kcnn.litert.schema import numbers, operator_name, parse, tables

_ACTIVATIONS = {"SOFTMAX": "softmax", "LOG_SOFTMAX": "log_softmax", "LOGISTIC": "sigmoid"}
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")


def final_activation(data: bytes) -> str | None:
    """Return the activation that computes the first output of a verified model.

    Returns:
        "softmax", "log_softmax" or "sigmoid"; None for a model that ends in logits.
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
        if name not in _CONVERSIONS:
            return _ACTIVATIONS.get(name)
        place = numbers(operator.inputs)[0]
    return None
