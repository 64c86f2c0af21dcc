"""The last feature map as a second output of a classifier's `.tflite` file, for heat maps.

Where a network ends in global average pooling and one dense layer, a class's logit is the mean
over the feature map of `map @ class_weights` plus a bias. So the heat map of a class, its CAM
(Zhou et al., https://arxiv.org/abs/1512.04150), costs an app one matrix product:

    logits, feature_map = run(image)              # [classes], [height, width, channels]
    heat = relu(feature_map @ weights[:, told]) / (height * width)

`weights` is `class_weights.bin`, packed in the file: float32, little-endian, row by row
[channels, classes]. An int8 map is `scale * (stored - zero_point)` as any other tensor.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kcnn.litert.labels import append_labels, read_labels
from kcnn.litert.packed import pack, unpack
from kcnn.litert.repack import repacked, unpacked
from kcnn.litert.tflite_file import OPERATORS, damaged

NAME = "feature_map"
_FILE = "class_weights.bin"

# They hand on the same real numbers.
_PASSING = ("RESHAPE", "QUANTIZE", "DEQUANTIZE")
_DTYPES = {
    schema.TensorType.FLOAT32: "<f4",
    schema.TensorType.FLOAT16: "<f2",
    schema.TensorType.INT8: "<i1",
    schema.TensorType.INT32: "<i4",
}


def add_feature_map(data: bytes, path: Path) -> bytes:
    """Return a classifier's bytes with `feature_map` as second output and its class weights packed.

    Nothing is computed otherwise than before: the tensor is there already, and is kept.

    Args:
        data: a verified model, with or without labels. One that has the output is returned as is.
        path: for the error.

    Raises:
        ValueError: the logits are not a dense layer's of a globally averaged feature map, or the
            weights packed in the file are damaged.
    """
    try:
        if unpack(data, _FILE) is not None:
            return data
    except ValueError as error:
        raise damaged(path, error) from error
    model = unpacked(data)
    graph = model.subgraphs[0]
    index, weights = _Graph(model).head(path)
    graph.tensors[index].name = NAME
    if index not in graph.outputs:  # one whose archive was cut off has the output already
        graph.outputs = [*graph.outputs, index]
        for signature in model.signatureDefs or ():
            signature.outputs.append(schema.TensorMapT(name=NAME, tensorIndex=index))
    changed = append_labels(repacked(model), read_labels(data))
    return pack(changed, _FILE, weights.astype("<f4").tobytes())


def read_class_weights(data: bytes, channels: int, classes: int) -> np.ndarray:
    """Return the class weights packed in a model's bytes, float32 `[channels, classes]`.

    Raises:
        ValueError: there are none, or they are damaged or of another size.
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

    def __init__(self, model: schema.ModelT) -> None:
        self._model = model
        self._graph = model.subgraphs[0]
        self._makers = {out: each for each in self._graph.operators for out in each.outputs}

    def head(self, path: Path) -> tuple[int, np.ndarray]:
        """Return the tensor of the feature map and the weights that make logits of its mean."""
        weights, passed = None, []
        for name, operator in self._backwards(self._graph.outputs[0]):
            passed.append(name)
            source = operator.inputs[0]
            if name == "FULLY_CONNECTED" and weights is None and _is_linear(operator):
                weights = self._constant(operator.inputs[1])
                if weights is None:
                    break
            elif name == "MEAN" and self._averages_pixels(operator):
                channels = self._graph.tensors[source].shape[-1]
                # Without a dense layer, as in Network in Network, each channel is a class.
                weights = np.eye(channels) if weights is None else weights.T
                if len(weights) == channels:
                    return source, weights
                break
            elif name not in _PASSING:
                break
        raise ValueError(
            "A heat map from the file needs logits of global average pooling, of a map larger than "
            f"1x1, and one dense layer. {path.name} ends in "
            f"{', '.join(map(str, reversed(passed))) or 'no operator'}."
        )

    def _backwards(self, index: int) -> Iterator[tuple[str, schema.OperatorT]]:
        while index in self._makers:
            operator = self._makers[index]
            code = self._model.operatorCodes[operator.opcodeIndex]
            # Old files have the number in a byte of its own; the other field is 0 then.
            yield OPERATORS.get(max(code.builtinCode, code.deprecatedBuiltinCode)), operator
            index = operator.inputs[0]

    def _averages_pixels(self, operator: schema.OperatorT) -> bool:
        axes = self._constant(operator.inputs[1])
        shape = list(self._graph.tensors[operator.inputs[0]].shape)
        spatial = len(shape) == 4 and shape[1:3] != [1, 1]
        return spatial and axes is not None and sorted(axes.ravel() % 4) == [1, 2]

    def _constant(self, index: int) -> np.ndarray | None:
        """Return a constant's real numbers, None for what is computed from the image."""
        for name, operator in self._backwards(index):  # float16 weights are widened first
            return self._constant(operator.inputs[0]) if name == "DEQUANTIZE" else None
        tensor = self._graph.tensors[index]
        stored = self._model.buffers[tensor.buffer].data
        if stored is None or tensor.type not in _DTYPES:
            return None
        values = np.frombuffer(bytes(stored), _DTYPES[tensor.type]).reshape(tensor.shape)
        ranges = tensor.quantization
        if ranges is None or ranges.scale is None:
            return values
        per_axis = [1] * values.ndim
        per_axis[ranges.quantizedDimension] = len(ranges.scale)
        scale, zero = (np.reshape(each, per_axis) for each in (ranges.scale, ranges.zeroPoint))
        return (values.astype(np.float64) - zero) * scale


def _is_linear(operator: schema.OperatorT) -> bool:
    return operator.builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.NONE
