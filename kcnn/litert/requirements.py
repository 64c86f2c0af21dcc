"""Which runtimes a `.tflite` file runs on: the oldest versions, and what refuses it.

The converter notes the oldest version of TensorFlow Lite whose operators a file uses. It does not
note that a dense kernel has a scale for each output: the operator is the same, and older runtimes
take the first scale for all of them. `tests/test_dense_scales.py` runs files of both kinds on
TensorFlow Lite Micro of May 2024, June 2024 and of the version that kcnn installs.

Which dtypes the delegates for GPUs and Core ML take is the table of LiteRT's guide
(https://ai.google.dev/edge/litert/performance/delegates). What XNNPACK takes is tested
(`tests/test_delegates.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kcnn.litert.constants import scales_of
from kcnn.litert.micro_operators import CONVERSIONS, MICRO_OPERATORS, OLDEST, dtypes_of
from kcnn.litert.operators import every_operator, every_tensor
from kcnn.litert.schema import (
    Model,
    dtype_name,
    numbers,
    parse,
    tables,
    tensor_at,
    text,
)

_NOTED = "min_runtime_version"

# The first versions that read the scales of such a dense kernel: TensorFlow 2.17's release notes;
# tflite-micro pull requests 2602 (refused since 2024-05-28) and 2673 (read since 2024-09-24).
_DENSE_LITE, _DENSE_MICRO = (2, 17, 0), "2024-09-24"
_GROUPS_LITE = (2, 9, 0)  # the first version that reads groups, as TensorFlow's converter notes
# The first version whose operators take kernels of 4 bits: the converter's own table.
_INT4_LITE = (2, 11, 0)
_INT16_LITE = (2, 3, 0)  # the same table, for int16 activations with int8 kernels


_EVERY_DELEGATE = ("XNNPACK", "GPU", "Core ML")
_NO_CORE_ML = ("XNNPACK", "GPU")
_XNNPACK = ("XNNPACK",)


@dataclass(frozen=True)
class Requirements:
    """What a `.tflite` file needs.

    Attributes:
        tensorflow_lite: the oldest version of TensorFlow Lite that runs it rightly, such as
            "2.3.0"; LiteRT followed its version 2.17. None if the file does not say.
        micro: the date of the oldest TensorFlow Lite Micro that does, among those that are tested;
            None if it does not run an operator, or if one was not tried.
        micro_lacks: the operators that TensorFlow Lite Micro does not run, such as "GELU", or
            "EXP (int8)" where it runs the operator with another dtype.
        refused_by: for each delegate that does not take the file, why not.
        micro_untried: the operators that were not tried on TensorFlow Lite Micro.
        delegates: those of LiteRT that take the file's dtypes: "XNNPACK", "GPU", "Core ML". They
            leave operators that they lack to the processor.
    """

    tensorflow_lite: str | None
    micro: str | None
    micro_lacks: tuple[str, ...]
    refused_by: dict[str, str]
    micro_untried: tuple[str, ...] = ()
    delegates: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """Return the facts as people read them, a line each."""
        lite = f"TensorFlow Lite {self.tensorflow_lite} and later, LiteRT"
        micro = f"TensorFlow Lite Micro of {self.micro} and later"
        if self.micro_lacks:
            micro = f"not TensorFlow Lite Micro, which does not run {', '.join(self.micro_lacks)}"
        elif self.micro is None:
            micro = f"not tried on TensorFlow Lite Micro: {', '.join(self.micro_untried)}"
        refusals = [f"not {name}: {reason}" for name, reason in self.refused_by.items()]
        delegates = ", ".join(self.delegates) or "none"
        taken = f"delegates of LiteRT that take its dtypes: {delegates}"
        return (lite if self.tensorflow_lite else "LiteRT", taken, micro, *refusals)


def read_requirements(data: bytes) -> Requirements:
    """Return what a verified model needs.

    >>> Requirements("2.3.0", None, ("GELU",), {}).lines()[2]
    'not TensorFlow Lite Micro, which does not run GELU'
    """
    model = parse(data)
    used = {(kind, dtypes_of(graph, each, kind)) for graph, each, kind in every_operator(model)}
    noted, by_output = _noted_version(model), _has_dense_scale_by_output(model)
    grouped, narrow = _has_groups(model), _has_int4_kernels(model)
    wide = any(dtypes == "int16 with int8 kernels" for _, dtypes in used)
    known = [_DENSE_LITE] * by_output + [_GROUPS_LITE] * grouped + [_INT4_LITE] * narrow
    known += [_INT16_LITE] * wide
    lite = max(noted, *known) if noted and known else noted
    micro, lacks, untried = _micro(used, _DENSE_MICRO if by_output else OLDEST)
    return Requirements(
        tensorflow_lite=".".join(map(str, lite)) if lite else None,
        micro=micro,
        micro_lacks=lacks,
        micro_untried=untried,
        refused_by=_refusals(by_output=by_output, grouped=grouped, narrow=narrow),
        delegates=_delegates(used),
    )


def _delegates(used: set[tuple[str, str]]) -> tuple[str, ...]:
    """Return the delegates that take the dtypes in which a model computes, by its operators'."""
    words = {word for kind, each in used if kind not in CONVERSIONS for word in each.split()}
    if "int16" in words:
        return ()
    if "int4" in words:
        return _XNNPACK  # which takes the layers of other dtypes
    return _NO_CORE_ML if "int8" in words else _EVERY_DELEGATE


def _micro(
    used: set[tuple[str, str]], oldest: str
) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    """Return the oldest TensorFlow Lite Micro, what it does not run, and what was not tried."""
    untried = sorted({name for name, _ in used if name not in MICRO_OPERATORS})
    lacks, dates = [], [oldest]
    for name, dtypes in sorted(used):
        if name not in untried and dtypes not in MICRO_OPERATORS[name]:
            lacks.append(f"{name} ({dtypes})" if MICRO_OPERATORS[name] else name)
        elif name not in untried:
            dates.append(MICRO_OPERATORS[name][dtypes])
    date = None if lacks or untried else max(dates)
    return date, tuple(dict.fromkeys(lacks)), tuple(untried)


def _refusals(*, by_output: bool, grouped: bool, narrow: bool) -> dict[str, str]:
    refused_by = {}
    if by_output:
        reason = "a dense layer has a scale for each output: leave out --dense-per-channel"
        refused_by = {"NNAPI": reason, "ESP-NN on the ESP32-S3": reason}
    if grouped:
        refused_by["ESP-NN"] = (
            "a convolution has groups, which it computes wrongly "
            "(kcnn.models.blocks.grouped_conv convolves slices instead)"
        )
    if narrow:
        refused_by["NNAPI and GPUs"] = "kernels have 4 bits"
    return refused_by


def _noted_version(model: Model) -> tuple[int, ...] | None:
    for entry in tables(model.metadata):
        if text(entry.name) == _NOTED:
            content = tables(model.buffers)[entry.buffer].data
            noted = b"" if content is None else bytes(bytearray(content))
            parts = noted.partition(b"\0")[0].decode(errors="replace").split(".")
            return tuple(map(int, parts)) if all(map(str.isdecimal, parts)) else None
    return None


def _has_groups(model: Model) -> bool:
    for graph, operator, kind in every_operator(model):
        if kind == "CONV_2D":
            source, kernel = (tensor_at(graph, each) for each in numbers(operator.inputs)[:2])
            if numbers(source.shape)[-1:] != numbers(kernel.shape)[-1:]:
                return True
    return False


def _has_dense_scale_by_output(model: Model) -> bool:
    return any(count > 1 for count in _dense_scales(model))


def _has_int4_kernels(model: Model) -> bool:
    return any(dtype_name(tensor) == "int4" for tensor in every_tensor(model))


def _dense_scales(model: Model) -> Iterator[int]:
    """Yield how many scales the int8 kernel of each dense layer has."""
    for graph, operator, kind in every_operator(model):
        if kind == "FULLY_CONNECTED":
            kernel = tensor_at(graph, numbers(operator.inputs)[1])
            if dtype_name(kernel) == "int8":
                yield len(scales_of(kernel))
