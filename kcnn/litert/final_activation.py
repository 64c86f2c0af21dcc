"""Whether a `.tflite` file gives logits or what an activation made of them."""

from ai_edge_litert import schema_py_generated as schema

from kcnn.litert.tflite_file import OPERATORS

_SQUASHING = {"SOFTMAX": "softmax", "LOG_SOFTMAX": "log_softmax", "LOGISTIC": "sigmoid"}
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")


def final_activation(data: bytes) -> str | None:
    """Return the activation that computes the first output of a verified model.

    Returns:
        "softmax", "log_softmax" or "sigmoid"; None for a model that ends in logits.
    """
    model = schema.Model.GetRootAs(data)
    graph = model.Subgraphs(0)
    made_by = {}
    for operator in (graph.Operators(index) for index in range(graph.OperatorsLength())):
        made_by |= {operator.Outputs(i): operator for i in range(operator.OutputsLength())}
    tensor = graph.Outputs(0)
    while operator := made_by.pop(tensor, None):
        code = model.OperatorCodes(operator.OpcodeIndex())
        name = OPERATORS.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "")
        if name not in _CONVERSIONS:
            return _SQUASHING.get(name)
        tensor = operator.Inputs(0)
    return None
