"""The names by which an app finds the input and the output of a `.tflite` model."""

from kcnn.litert.layer_names import STORING
from kcnn.litert.schema import (
    new_signature,
    new_tensor_map,
    numbers,
    operator_name,
    parse,
    serialize,
    tables,
    tensor_at,
)

KEY = "serving_default"
_INPUTS = {3: "series", 4: "image", 5: "voxels"}  # by the number of axes


def add_signature(data: bytes, output: str) -> bytes:
    """Return a model's bytes with its one input called `image` and its one output `output`.

    The input of series is called `series`, that of voxels `voxels`.

    The tensors get these names, and the signature `serving_default` maps the names to them. The
    names and the order that the converter itself gives to tensors may change with its version.
    What is only stored in another way at the end is called `output` before it, too.
    """
    model = parse(data)
    graph = tables(model.subgraphs)[0]
    maps = []
    rank = len(numbers(tensor_at(graph, numbers(graph.inputs)[0]).shape))
    for name, places in ((_INPUTS[rank], graph.inputs), (output, graph.outputs)):
        place = numbers(places)[0]
        tensor_at(graph, place).name = name
        for operator in tables(graph.operators):
            if place in numbers(operator.outputs) and operator_name(model, operator) in STORING:
                tensor_at(graph, numbers(operator.inputs)[0]).name = name
        maps.append([new_tensor_map(name, place)])
    model.signatureDefs = [new_signature(KEY, *maps)]
    return serialize(model)
