"""Files of one operator each, for every row of the table of TensorFlow Lite Micro's operators."""

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kcnn.litert.schema import serialize

_SCALES = {"int4": (0.1, 0), "int8": (0.05, 3), "uint8": (0.05, 128), "int16": (0.001, 0)}
_UNIT = {"int8": (1 / 256, -128), "int16": (1 / 32768, 0)}  # of outputs from 0 to 1
_SIGNED = {"int8": (1 / 128, 0), "int16": (1 / 32768, 0)}  # of outputs from -1 to 1
_RANGES = {
    ("SOFTMAX", "output"): _UNIT,
    ("LOGISTIC", "output"): _UNIT,
    ("TANH", "output"): _SIGNED,
    ("L2_NORMALIZATION", "output"): _SIGNED,
    ("LOG_SOFTMAX", "output"): {"int8": (16 / 256, 127)},
    ("DIV", "output"): {"int8": (0.002, -128)},  # a fine step, on which versions of 2024 crash
    ("SUM", "output"): {"int8": (0.5, 3), "int16": (0.01, 0)},
    **{(name, "input"): {"int8": (0.05, -128)} for name in ("LOG", "SQRT", "RSQRT")},
}
_OPTIONS = {
    "L2_NORMALIZATION": "L2NormOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "PADV2": "PadV2Options",
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), "Pool2DOptions"),
    **dict.fromkeys(
        ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ALL", "REDUCE_ANY"),
        "ReducerOptions",
    ),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), "MaximumMinimumOptions"),
    "SPACE_TO_BATCH_ND": "SpaceToBatchNDOptions",
    "BATCH_TO_SPACE_ND": "BatchToSpaceNDOptions",
}


@dataclass(frozen=True)
class _Case:
    """Where an operator's inputs come from and what it returns; "x" stands for the image."""

    inputs: tuple[Any, ...] = ("x",)
    shape: tuple[int, ...] = (1, 4, 4, 4)
    options: dict[str, Any] = field(default_factory=dict)
    output: str | None = None
    outputs: int = 1
    source: tuple[int, ...] = (1, 4, 4, 4)


def _ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


_UNARY = (
    "ABS CEIL COS ELU EXP FLOOR HARD_SWISH L2_NORMALIZATION LOG LOGISTIC LOG_SOFTMAX "
    "NEG RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 ROUND RSQRT SIN SQRT SQUARE TANH ZEROS_LIKE "
    "LOGICAL_NOT GELU SIGN QUANTIZE DEQUANTIZE CAST".split()
)
_BINARY = "ADD SUB MUL DIV MAXIMUM MINIMUM SQUARED_DIFFERENCE FLOOR_DIV FLOOR_MOD POW".split()
_LIKE = "ADD_N LOGICAL_AND LOGICAL_OR".split()
_COMPARE = "EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL".split()
_REDUCE = "MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD REDUCE_ALL REDUCE_ANY".split()
_POOL = {"padding": 1, "strideW": 2, "strideH": 2, "filterWidth": 2, "filterHeight": 2}
_STRIDE = {"padding": 1, "strideW": 1, "strideH": 1}
_DILATION = {"dilationWFactor": 1, "dilationHFactor": 1}
_MAP = (1, 2, 2, 4)

CASES = {
    **{name: _Case() for name in _UNARY},
    **{name: _Case(("x", ("same", (1, 1, 1, 4)))) for name in _BINARY},
    **{name: _Case(("x", "x")) for name in _LIKE},
    **{name: _Case(("x", ("same", (1, 1, 1, 4))), output="bool") for name in _COMPARE},
    **{name: _Case(("x", _ints(1, 2)), (1, 4)) for name in _REDUCE},
    **{
        name: _Case(("x", _ints(3)), (1, 4, 4), {"outputType": 2}, output="int32")
        for name in ("ARG_MAX", "ARG_MIN")
    },
    **{f"{name}_POOL_2D": _Case(shape=_MAP, options=_POOL) for name in ("AVERAGE", "MAX", "L2")},
    "SOFTMAX": _Case(options={"beta": 1.0}),
    "LEAKY_RELU": _Case(options={"alpha": 0.1}),
    "PRELU": _Case(("x", ("kernel", (1, 1, 4)))),
    "CONV_2D": _Case(("x", ("kernel", (4, 3, 3, 4)), ("bias", (4,))), _MAP, _STRIDE | _DILATION),
    "DEPTHWISE_CONV_2D": _Case(
        ("x", ("kernel", (1, 3, 3, 4)), ("bias", (4,))),
        _MAP,
        _STRIDE | _DILATION | {"depthMultiplier": 1},
    ),
    "TRANSPOSE_CONV": _Case(
        (_ints(1, 8, 8, 4), ("kernel", (4, 2, 2, 4)), "x"),
        (1, 8, 8, 4),
        {"padding": 1, "strideW": 2, "strideH": 2},
    ),
    "FULLY_CONNECTED": _Case(("x", ("kernel", (3, 64)), ("bias", (3,))), (1, 3), source=(1, 64)),
    "BATCH_MATMUL": _Case(("x", ("kernel", (1, 4, 4, 4)))),
    "RESHAPE": _Case(("x", _ints(1, 64)), (1, 64), {"newShape": [1, 64]}),
    "SQUEEZE": _Case(shape=(4, 4, 4), options={"squeezeDims": [0]}),
    "EXPAND_DIMS": _Case(("x", _ints(1)), (1, 1, 4, 4, 4)),
    "TRANSPOSE": _Case(("x", _ints(0, 2, 1, 3))),
    "PACK": _Case(("x", "x"), (2, 1, 4, 4, 4), {"valuesCount": 2, "axis": 0}),
    "UNPACK": _Case(shape=(1, 4, 4), options={"num": 4, "axis": 3}, outputs=4),
    "CONCATENATION": _Case(("x", "x"), (1, 4, 4, 8), {"axis": 3}),
    "SPLIT": _Case((_ints(3), "x"), (1, 4, 4, 2), {"numSplits": 2}, outputs=2),
    "SPLIT_V": _Case(("x", _ints(2, 2), _ints(3)), (1, 4, 4, 2), {"numSplits": 2}, outputs=2),
    "SLICE": _Case(("x", _ints(0, 1, 1, 0), _ints(1, 2, 2, 4)), _MAP),
    "STRIDED_SLICE": _Case(("x", _ints(0, 1, 1, 0), _ints(1, 3, 3, 4), _ints(1, 1, 1, 1)), _MAP),
    "PAD": _Case(("x", _ints(0, 0, 1, 1, 1, 1, 0, 0).reshape(4, 2)), (1, 6, 6, 4)),
    "PADV2": _Case(("x", _ints(0, 0, 1, 1, 1, 1, 0, 0).reshape(4, 2), ("same", ())), (1, 6, 6, 4)),
    "MIRROR_PAD": _Case(("x", _ints(0, 0, 1, 1, 1, 1, 0, 0).reshape(4, 2)), (1, 6, 6, 4)),
    "TILE": _Case(("x", _ints(1, 1, 1, 2)), (1, 4, 4, 8)),
    "GATHER": _Case(("x", _ints(3, 0)), (1, 4, 4, 2), {"axis": 3}),
    "GATHER_ND": _Case(("x", _ints(0, 1).reshape(1, 2)), (1, 4, 4)),
    "BROADCAST_TO": _Case(("x", _ints(2, 4, 4, 4)), (2, 4, 4, 4)),
    "DEPTH_TO_SPACE": _Case(shape=(1, 8, 8, 1), options={"blockSize": 2}),
    "SPACE_TO_DEPTH": _Case(shape=(1, 2, 2, 16), options={"blockSize": 2}),
    "SPACE_TO_BATCH_ND": _Case(("x", _ints(2, 2), _ints(0, 0, 0, 0).reshape(2, 2)), (4, 2, 2, 4)),
    "BATCH_TO_SPACE_ND": _Case(
        ("x", _ints(2, 2), _ints(0, 0, 0, 0).reshape(2, 2)), (1, 4, 4, 4), source=(4, 2, 2, 4)
    ),
    "RESIZE_BILINEAR": _Case(
        ("x", _ints(8, 8)), (1, 8, 8, 4), {"alignCorners": False, "halfPixelCenters": True}
    ),
    "RESIZE_NEAREST_NEIGHBOR": _Case(
        ("x", _ints(8, 8)), (1, 8, 8, 4), {"alignCorners": False, "halfPixelCenters": True}
    ),
    "REVERSE_V2": _Case(("x", _ints(1))),
    "SELECT_V2": _Case((np.arange(64).reshape(1, 4, 4, 4) % 2 == 0, "x", "x")),
    "CUMSUM": _Case(("x", _ints(1))),
    "SHAPE": _Case(shape=(4,), output="int32", options={"outType": 2}),
    "FILL": _Case((_ints(2, 3), "x"), (2, 3), source=()),
}


def images_of(name: str, dtypes: str) -> np.ndarray:
    """Return two images for such a file: an output that is never written is right for one."""
    dtype, shape = dtypes.partition(" ")[0], CASES[name].source
    random = np.random.default_rng(5)
    positive = name in ("LOG", "SQRT", "RSQRT", "POW")
    if "float" in dtype:
        values = random.uniform(0.5 if positive else -3, 3, shape)
    else:
        highest = {"bool": 2, "int32": 20, "uint8": 256, "int16": 3000}.get(dtype, 121)
        lowest = {"bool": 0, "int32": 1, "uint8": 0, "int16": -3000}.get(dtype, -120)
        values = random.integers(100 if positive and dtype == "int16" else lowest, highest, shape)
    if name == "CAST":
        values = values * (np.arange(4) % 2)
    values = np.asarray(values).astype(dtype)
    return np.stack([values, np.roll(values, 1)])


def one_operator(name: str, dtypes: str) -> bytes:
    """Return a file with this operator.

    Args:
        name: of the operator, by the schema.
        dtypes: a key of the table: the image's dtype, "with" that of the kernels if it is
            another, or "to" that of the output.
    """
    case = CASES[name]
    taken, _, returned = dtypes.partition(" to ")
    taken, _, weights = taken.removesuffix(" kernels").partition(" with ")
    graph: Any = schema.SubGraphT(tensors=[], inputs=[0], outputs=[])
    model = schema.ModelT(version=3, subgraphs=[graph], buffers=[schema.BufferT()])
    _add(model, "x", case.source, taken, _range(name, "input", taken))
    places = [_place(model, each, taken, weights or taken) for each in case.inputs]
    output = returned or case.output or taken
    for _ in range(case.outputs):
        graph.outputs.append(len(graph.tensors))
        _add(model, "y", case.shape, output, _range(name, "output", output))
    number = getattr(schema.BuiltinOperator, name)
    version = 2 if name == "BROADCAST_TO" else 1
    model.operatorCodes = [schema.OperatorCodeT(min(number, 127), None, version, number)]
    operator = schema.OperatorT(inputs=places, outputs=graph.outputs, opcodeIndex=0)
    kind = _OPTIONS.get(name, name.title().replace("_", "") + "Options")
    if hasattr(schema, kind + "T"):
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        operator.builtinOptions = getattr(schema, kind + "T")(**case.options)
    graph.operators = [operator]
    return serialize(cast(Any, model))


def _place(model: Any, given: Any, taken: str, weights: str) -> int:
    """Return the place of an operator's input, which is added to the model if it is a constant."""
    if isinstance(given, str):
        return 0
    if isinstance(given, np.ndarray):
        return _add(model, "constant", given.shape, given.dtype.name, None, given)
    what, shape = given
    random = np.random.default_rng(len(shape))
    if what == "bias":
        dtype = {"int8": "int32", "int16": "int64"}.get(taken, "float32")
        range_ = None
        if dtype != "float32":
            range_ = _SCALES[taken][0] * _SCALES[weights][0], 0
        return _add(model, what, shape, dtype, range_, np.zeros(shape))
    dtype = weights if what == "kernel" else taken
    values = random.integers(-7, 8, shape) if what == "kernel" else np.full(shape, 9)
    range_ = _SCALES.get(dtype)
    if range_ and what == "kernel":
        range_ = range_[0], 0
    return _add(model, what, shape, dtype, range_, values)


def _range(name: str, side: str, dtype: str) -> tuple[float, int] | None:
    return _RANGES.get((name, side), {}).get(dtype) or _SCALES.get(dtype)


def _add(  # noqa: PLR0913 - what a tensor has
    model: Any,
    name: str,
    shape: tuple[int, ...],
    dtype: str,
    range_: tuple[float, int] | None,
    values: np.ndarray | None = None,
) -> int:
    """Add a tensor and return its place."""
    graph = model.subgraphs[0]
    buffer = 0
    if values is not None:
        stored = np.asarray(values).astype("int8" if dtype == "int4" else dtype).tobytes()
        if dtype == "int4":
            low, high = np.frombuffer(stored, np.int8)[::2], np.frombuffer(stored, np.int8)[1::2]
            stored = ((low & 15) | ((high & 15) << 4)).astype(np.uint8).tobytes()
        buffer = len(model.buffers)
        model.buffers.append(schema.BufferT(data=np.frombuffer(stored, np.uint8)))
    kind = getattr(schema.TensorType, dtype.upper())
    quantization = None
    if range_:
        quantization = schema.QuantizationParametersT(scale=[range_[0]], zeroPoint=[range_[1]])
    graph.tensors.append(
        schema.TensorT(
            name=name, shape=[*shape], type=kind, buffer=buffer, quantization=quantization
        )
    )
    return len(graph.tensors) - 1
