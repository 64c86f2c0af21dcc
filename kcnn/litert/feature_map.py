"""The last feature map as a second output of a classifier's `.tflite` file, for heat maps.

Where a network ends in global average pooling and one dense layer, the logit of a class is a bias
plus the mean of `feature_map @ class_weights` over all pixels of the map. The heat map of a class,
its CAM (Zhou et al., https://arxiv.org/abs/1512.04150), therefore costs an app one matrix product:

    logits, feature_map = run(image)              # [classes], [height, width, channels]
    heat = relu(feature_map @ weights[:, predicted]) / (height * width)

`weights` is `class_weights.bin`, packed in the file: float32, little-endian, row by row
[channels, classes]. The map has the dtype of the logits; the values of a map of integers are
`scale * (stored - zero_point)`.
"""

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kcnn.litert.labels import append_labels, read_labels
from kcnn.litert.packed import pack, unpack
from kcnn.litert.schema import (
    Model,
    Operator,
    dtype_name,
    fused_activation,
    new_operator,
    new_tensor,
    new_tensor_map,
    numbers,
    operator_name,
    parse,
    serialize,
    tables,
    tensor_at,
)
from kcnn.litert.structure import damaged

NAME = "feature_map"
_FILE = "class_weights.bin"

# Operators whose output has the same values as their input.
_PASSING = ("RESHAPE", "QUANTIZE", "DEQUANTIZE")
# What stores a tensor in another dtype: by both, the operator and its version.
_STORING = {
    ("int8", "uint8"): ("QUANTIZE", 2),
    ("int8", "float32"): ("DEQUANTIZE", 2),
    ("int16", "float32"): ("DEQUANTIZE", 3),
}
_DTYPES = {"float32": "<f4", "float16": "<f2", "int8": "<i1", "int32": "<i4"}


def add_feature_map(data: bytes, path: Path) -> bytes:
    """Return a classifier's bytes with `feature_map` as second output and its class weights packed.

    The model computes what it did before: the tensor exists already, and becomes an output.

    Args:
        data: a verified model, with or without labels; returned unchanged if it has the output.
        path: the file, which errors name.

    Raises:
        ValueError: the model does not end in global average pooling and one dense layer, or the
            weights packed in the file are damaged.
    """
    try:
        if unpack(data, _FILE) is not None:
            return data
    except ValueError as error:
        raise damaged(path, error) from error
    model = parse(data)
    graph = tables(model.subgraphs)[0]
    try:
        index, weights = _Graph(model).head(path)
    except (IndexError, TypeError) as error:
        raise damaged(path, error) from error
    tensor_at(graph, index).name = NAME
    outputs = numbers(graph.outputs)
    # A file whose archive was cut off has the output already.
    if len(outputs) == 1:
        index = _stored_as(model, index, outputs[0])
        graph.outputs = [*outputs, index]
        for signature in tables(model.signatureDefs):
            signature.outputs = [*tables(signature.outputs), new_tensor_map(NAME, index)]
    changed = append_labels(serialize(model), read_labels(data))
    return pack(changed, _FILE, weights.astype("<f4").tobytes())


def _stored_as(model: Model, place: int, other: int) -> int:
    """Return a tensor with the numbers of one and the dtype of another, which an app reads too.

    MediaPipe takes no int8 beside uint8. An operator adds 128 to each number, or makes it real.
    """
    graph = tables(model.subgraphs)[0]
    source, wanted = tensor_at(graph, place), tensor_at(graph, other)
    kinds = dtype_name(source), dtype_name(wanted)
    if kinds not in _STORING:
        return place
    ranges = copy.deepcopy(source.quantization)
    made = new_tensor(NAME, numbers(source.shape))
    if kinds[1] == "uint8" and ranges is not None:
        ranges.zeroPoint = [zero + 128 for zero in numbers(ranges.zeroPoint)]
        made.type, made.quantization = wanted.type, ranges
    graph.tensors = [*tables(graph.tensors), made]
    index = len(graph.tensors) - 1
    operator = new_operator(model, *_STORING[kinds], place, index)
    graph.operators = [*tables(graph.operators), operator]
    return index


def read_class_weights(data: bytes, channels: int, classes: int) -> np.ndarray:
    """Return the class weights packed in a model's bytes, float32 `[channels, classes]`.

    Raises:
        ValueError: the file has none, or they are damaged or of another size.
    """
    content = unpack(data, _FILE) or b""
    if len(content) != 4 * channels * classes:
        raise ValueError(
            f"{_FILE} inside it has {len(content)} bytes; {channels} channels and {classes} "
            f"classes need {4 * channels * classes}"
        )
    return np.frombuffer(content, "<f4").reshape(channels, classes).astype(np.float32)


class _Graph:
    """A model's operators, followed from its logits backwards."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._graph = tables(model.subgraphs)[0]
        self._makers = {
            place: operator
            for operator in tables(self._graph.operators)
            for place in numbers(operator.outputs)
        }

    def head(self, path: Path) -> tuple[int, np.ndarray]:
        """Return the tensor of the feature map and the weights that make logits of its mean."""
        weights, passed = None, []
        for name, operator in self._backwards(numbers(self._graph.outputs)[0]):
            passed.append(name)
            inputs = numbers(operator.inputs)
            if (
                name == "FULLY_CONNECTED"
                and weights is None
                and fused_activation(operator) == "NONE"
            ):
                weights = self._constant(inputs[1])
                if weights is None:
                    break
            elif name == "MEAN" and self._averages_pixels(*inputs):
                channels = self._shape(inputs[0])[-1]
                # Without a dense layer, as in Network in Network, each channel is a class.
                weights = np.eye(channels) if weights is None else weights.T
                if len(weights) == channels:
                    return inputs[0], weights
                break
            elif name not in _PASSING:
                break
        raise ValueError(
            "A heat map from the file needs logits of global average pooling, of a map larger than "
            f"1x1, and one dense layer. {path.name} ends in "
            f"{', '.join(reversed(passed)) or 'no operator'}."
        )

    def _backwards(self, place: int) -> Iterator[tuple[str, Operator]]:
        """Yield the operator that writes a tensor, the one that writes its first input, ..."""
        for _ in range(len(self._makers)):  # a damaged file may hold a circle
            if place not in self._makers:
                return
            operator = self._makers[place]
            yield operator_name(self._model, operator), operator
            place = numbers(operator.inputs)[0]

    def _shape(self, place: int) -> list[int]:
        return numbers(tensor_at(self._graph, place).shape)

    def _averages_pixels(self, source: int, axes: int) -> bool:
        over, shape = self._constant(axes), self._shape(source)
        spatial = len(shape) == 4 and shape[1:3] != [1, 1]
        return spatial and over is not None and sorted(over.ravel() % 4) == [1, 2]

    def _constant(self, place: int) -> np.ndarray | None:
        """Return a constant's real numbers, None for a tensor that depends on the image."""
        for name, operator in self._backwards(place):  # float16 weights are widened first
            first = numbers(operator.inputs)[0]
            return self._constant(first) if name == "DEQUANTIZE" else None
        tensor = tensor_at(self._graph, place)
        stored, dtype = tables(self._model.buffers)[tensor.buffer].data, dtype_name(tensor)
        if stored is None or dtype not in _DTYPES:
            return None
        values = np.frombuffer(bytes(stored), _DTYPES[dtype]).reshape(numbers(tensor.shape))
        ranges = tensor.quantization
        if ranges is None or ranges.scale is None:
            return values
        scales, zeros = numbers(ranges.scale), numbers(ranges.zeroPoint)
        per_axis = [1] * values.ndim
        per_axis[ranges.quantizedDimension] = len(scales)
        scale, zero = (np.reshape(each, per_axis) for each in (scales, zeros))
        return (values.astype(np.float64) - zero) * scale
