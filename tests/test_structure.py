"""A `.tflite` file is refused for what it says about itself, before LiteRT sees it."""

import math
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.tools.flatbuffer_utils import (
    convert_bytearray_to_object,
    convert_object_to_bytearray,
)

from kcnn.litert.structure import check_structure

FILE = Path(__file__).parents[1] / "saved_models/resnet8_int8/model_int8.tflite"


def graph(model):
    return model.subgraphs[0]


def without(name):
    def edit(model):
        setattr(graph(model), name, [])

    return edit


def tensor_number(name, place):
    def edit(model):
        setattr(graph(model), name, [place])

    return edit


def of_operator(**fields):
    def edit(model):
        for name, value in fields.items():
            setattr(graph(model).operators[1], name, value)

    return edit


def weights(model):
    """Return a tensor that is quantized for each of 16 channels."""
    return next(each for each in graph(model).tensors if np.size(each.quantization.scale) == 16)


def scales(value):
    def edit(model):
        ranges = weights(model).quantization
        ranges.scale = [*ranges.scale[:3], value, *ranges.scale[4:]]

    return edit


def of_weights(**fields):
    def edit(model):
        for name, value in fields.items():
            setattr(weights(model).quantization, name, value)

    return edit


def no_subgraph(model):
    model.subgraphs = []


def buffer_of_tensor(model):
    weights(model).buffer = 1000


def buffer_behind_the_file(model):
    model.buffers[1].data, model.buffers[1].offset, model.buffers[1].size = None, 90_000, 10**9


def signature(model):
    model.signatureDefs[0].outputs[0].tensorIndex = 1000


def large(model):
    graph(model).tensors[graph(model).outputs[0]].shape = [2**15, 2**15]


EDITS = {
    "no subgraph": (no_subgraph, "it has no subgraph"),
    "no operators": (without("operators"), "it has no operators"),
    "no inputs": (without("inputs"), "it has no inputs"),
    "no outputs": (without("outputs"), "it has no outputs"),
    "input": (tensor_number("inputs", 1000), "inputs: no tensor 1000 among"),
    "output": (tensor_number("outputs", -1), "outputs: no tensor -1 among"),
    "operator's input": (of_operator(inputs=[0, 1000, 2]), r"operator 1 \w+: no tensor 1000 among"),
    "operator's output": (of_operator(outputs=[-2]), r"operator 1 \w+: no tensor -2 among"),
    "operator's kind": (of_operator(opcodeIndex=1000), "operator 1: no kind 1000 among"),
    "buffer": (buffer_of_tensor, "no buffer 1000 among"),
    "buffer's end": (buffer_behind_the_file, "buffer 1 ends behind the file"),
    "scale of 0": (scales(0.0), "a quantization scale of 0.0"),
    "negative scale": (scales(-0.5), "a quantization scale of -0.5"),
    "infinite scale": (scales(math.inf), "a quantization scale of inf"),
    "scale that is none": (scales(math.nan), "a quantization scale of nan"),
    "zero points": (of_weights(zeroPoint=[0] * 7), "16 scales and 7 zero points"),
    "axis": (of_weights(quantizedDimension=9), "16 scales along axis 9"),
    "other axis": (of_weights(quantizedDimension=1), "16 scales along axis 1"),
    "signature": (signature, "signature .*: no tensor 1000 among"),
    "shape": (large, r"a tensor of shape \(32768, 32768\)"),
}


@pytest.mark.parametrize("name", EDITS)
def test_what_is_wrong_is_named(name):
    edit, reason = EDITS[name]
    model = convert_bytearray_to_object(FILE.read_bytes())
    edit(model)
    data = bytes(convert_object_to_bytearray(model))
    with pytest.raises(ValueError, match=rf"^here/model.tflite is damaged.*{reason}") as raised:
        check_structure(data, Path("here/model.tflite"))
    assert len(str(raised.value).splitlines()) == 1


def test_whole_files_are_accepted():
    for file in FILE.parents[1].glob("*/*.tflite"):
        check_structure(file.read_bytes(), file)


@pytest.mark.parametrize("size", [0, 3, 8, 100, 50_000, 98_000])
def test_a_beginning_of_a_file_is_refused(size):
    with pytest.raises(ValueError, match=r"model.tflite is damaged"):
        check_structure(FILE.read_bytes()[:size], Path("model.tflite"))
