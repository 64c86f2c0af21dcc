"""TFLite Micro's own compression: the weights of a clustered model as indices into tables.

The chip keeps the small file in flash. Each time a layer runs, an operator named DECODE writes the
layer's weights into the arena, so a compressed model needs more memory. LiteRT has no such
operator: the file is for TFLite Micro only.
"""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kcnn.litert.constants import constant, scales_of
from kcnn.litert.schema import Model, numbers, operator_name, parse, tables, tensor_at
from kcnn.runtimes.installation import micro_python, missing_micro
from kcnn.runtimes.process import classify, run_child
from kcnn.runtimes.runtime import TIMEOUT, Run, Task, prepare

_TITLE = "TFLite Micro"
_MOST_BITS = 7
# What DECODE itself adds to a file for each tensor: an operator, tensors and a header, roughly.
_OVERHEAD = 400
_CHECKED = 20  # images of noise
_CHANNELS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
"""The axis of a kernel's output channels."""


class _Table(NamedTuple):
    """How one tensor is compressed: indices of so many bits, one table in all or for each slice."""

    tensor: int
    bits: int
    axis: int | None


@dataclass(frozen=True)
class Compressed:
    """A compressed model.

    Attributes:
        model: the bytes of the file.
        tensors: how many kernels are compressed.
        arena_bytes: memory that TFLite Micro needs for it.
        original_arena_bytes: memory that it needs for the original.
        images: how many images were answered as by the original, bit for bit: all that were tried.
    """

    model: bytes
    tensors: int
    arena_bytes: int
    original_arena_bytes: int
    images: int


def compress(
    model: bytes, images: np.ndarray | None = None, *, timeout: float = TIMEOUT
) -> Compressed:
    """Compress a model for TFLite Micro, and check that it answers as before.

    Use it for a model from `kcnn.cluster`, whose kernels hold few different numbers, where flash is
    short and memory is not.

    Args:
        model: the bytes of an int8 `.tflite` file.
        images: uint8 `(count, height, width, channels)`, to compare the answers; noise by default.
        timeout: seconds after which TFLite Micro is ended.

    Raises:
        ValueError: the file is damaged or no classifier, or it would not become smaller.
        RuntimeError: TFLite Micro is not installed or fails, or an answer differs.
    """
    task = prepare(model, images if images is not None else _noise(model))
    if reason := missing_micro():
        raise RuntimeError(reason)
    chosen = _tables(parse(task.model))
    if not chosen:
        raise _not_smaller()
    with tempfile.TemporaryDirectory(prefix="kcnn-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(task.model)
        job = {"task": "compress", "tables": chosen}
        run_child(micro_python(), _TITLE, job, folder, timeout=timeout)
        small = (folder / "compressed.tflite").read_bytes()
    if len(small) >= len(model):
        raise _not_smaller()
    before, after = (_run(replace(task, model=each), timeout) for each in (task.model, small))
    if not np.array_equal(before.outputs, after.outputs):
        raise RuntimeError("The compressed model answers differently on TFLite Micro.")
    arenas = after.details.arena_bytes or 0, before.details.arena_bytes or 0
    return Compressed(small, len(chosen), *arenas, len(task.pixels))


def _not_smaller() -> ValueError:
    return ValueError(
        "The model would not become smaller: its kernels hold too many different numbers. Cluster "
        "it first, with kcnn.cluster or the section `cluster` of a recipe."
    )


def _noise(model: bytes) -> np.ndarray:
    shape = prepare(model).source.shape[1:]
    return np.random.default_rng(0).integers(0, 256, (_CHECKED, *shape), np.uint8)


def _run(task: Task, timeout: float) -> Run:
    job = {"runtime": "micro", "package": "tflite-micro"}
    return classify(micro_python(), _TITLE, job, task, timeout=timeout)


def _tables(model: Model) -> list[_Table]:
    """Return the smallest tables for each kernel that becomes smaller by them."""
    graph, found = tables(model.subgraphs)[0], {}
    for operator in tables(graph.operators):
        axis = _CHANNELS.get(operator_name(model, operator))
        if axis is None:
            continue
        place = numbers(operator.inputs)[1]
        tensor = tensor_at(graph, place)
        kernel = constant(model, tensor, "int8")
        if kernel is not None:
            several = len(scales_of(tensor)) > 1
            found[place] = _smallest(place, kernel, axis, several_scales=several)
    return [table for table in found.values() if table is not None]


def _smallest(place: int, kernel: np.ndarray, axis: int, *, several_scales: bool) -> _Table | None:
    """Return the smallest tables for a kernel, None if they do not make it smaller.

    DECODE reads a table for each channel where the kernel has a scale for each, even if the file
    says that there is one table in all (TFLite Micro of October 2026).
    """
    candidates = []
    whole = [] if several_scales else [(None, [kernel])]
    for along, parts in (*whole, (axis, np.moveaxis(kernel, axis, 0))):
        bits = max(1, (max(len(np.unique(each)) for each in parts) - 1).bit_length())
        size = kernel.size * bits / 8 + len(parts) * 2**bits + _OVERHEAD
        if bits <= _MOST_BITS and size < kernel.size:
            candidates.append((size, _Table(place, bits, along)))
    return min(candidates, key=lambda each: each[0])[1] if candidates else None
