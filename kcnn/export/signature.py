"""Names by which an app finds the input and the output of a `.tflite` model."""

from ai_edge_litert import schema_py_generated as schema

from kcnn.litert.repack import repacked, unpacked

INPUT, KEY = "image", "serving_default"


def add_signature(data: bytes, output: str) -> bytes:
    """Return a model's bytes with its one input called `image` and its one output `output`.

    The tensors get these names, and a signature `serving_default` maps the names to them: the
    order and the names in which a converter leaves tensors may change with its version.
    """
    model = unpacked(data)
    graph = model.subgraphs[0]
    maps = []
    for name, index in ((INPUT, graph.inputs[0]), (output, graph.outputs[0])):
        graph.tensors[index].name = name
        maps.append([schema.TensorMapT(name=name, tensorIndex=index)])
    model.signatureDefs = [schema.SignatureDefT(*maps, signatureKey=KEY)]
    return repacked(model)
