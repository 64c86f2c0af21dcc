"""Measure how long one image takes on this machine, so that files can be compared."""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcnn.errors import one_line
from kcnn.runtimes.litert import KERNELS
from kcnn.runtimes.process import run_child, run_program
from kcnn.runtimes.runtime import TIMEOUT, Task, prepare

_TITLE = "LiteRT"
_TOOL = "ai_edge_litert.tools.benchmark_litert_model"
# The tool rounds to 0.01 ms: below this, rounding alone changes the figure by more than a tenth.
_TOOL_COARSE = 0.05


@dataclass(frozen=True)
class Latency:
    """The time of one image in LiteRT with XNNPACK.

    Attributes:
        name: of the model.
        threads: how many threads share the work on one image.
        milliseconds: the median, from stored pixels to stored outputs.
        tool_milliseconds: the median that LiteRT's own benchmark tool finds, one model after the
            other. None below 0.05 ms, because the tool rounds to hundredths of a millisecond, and
            with more than one thread, where it is not asked.
    """

    name: str
    threads: int
    milliseconds: float
    tool_milliseconds: float | None


def latency(
    models: Mapping[str, bytes],
    *,
    threads: Sequence[int] = (1, 2),
    rounds: int = 100,
    timeout: float = TIMEOUT,
) -> tuple[Latency, ...]:
    """Measure the median time of one image for several models, which take turns in every round.

    Compare only times of one call: between two calls, other work of the machine may have changed.

    Args:
        models: the bytes of `.tflite` classifiers by their names.
        threads: the numbers of threads to measure with.
        rounds: how often each model is timed, after a warm-up.
        timeout: seconds for each number of threads, and for each run of the benchmark tool.

    Returns:
        One row for each model and number of threads.

    Raises:
        ValueError: there are no models, one is damaged, or `rounds` or a number of threads is below
            1.
        RuntimeError: LiteRT refuses a file, crashes on it or takes too long.
    """
    if not models or rounds < 1 or min(threads, default=0) < 1:
        raise ValueError(
            "Timing needs at least one model, one round and one thread. Received: "
            f"{len(models)} models, rounds={rounds}, threads={tuple(threads)}."
        )
    tasks = [prepare(model) for model in models.values()]
    rows = []
    for count in threads:
        with tempfile.TemporaryDirectory(prefix="kcnn-") as name:
            folder = Path(name)
            times = _take_turns(folder, tasks, count, rounds, timeout)
            for index, (model, milliseconds) in enumerate(zip(models, times, strict=True)):
                tool = None
                if count == 1:
                    tool = _benchmark(folder / f"{index}.tflite", rounds, timeout)
                rows.append(Latency(model, count, milliseconds, tool))
    return tuple(rows)


def _take_turns(
    folder: Path, tasks: Sequence[Task], threads: int, rounds: int, timeout: float
) -> list[float]:
    for index, task in enumerate(tasks):
        (folder / f"{index}.tflite").write_bytes(task.model)
        np.save(folder / f"{index}.npy", task.pixels)
    job = {
        "task": "time",
        "models": len(tasks),
        "kernels": KERNELS["xnnpack"],
        "threads": threads,
        "rounds": rounds,
    }
    report = run_child(Path(sys.executable), _TITLE, job, folder, timeout=timeout)
    return report["milliseconds"]


def _benchmark(model: Path, rounds: int, timeout: float) -> float | None:
    """Return the median that LiteRT's own tool finds on one thread, in ms; see `Latency`."""
    result = model.with_suffix(".json")
    command = [sys.executable, "-P", "-m", _TOOL, "--model", model, "--result_json", result]
    command += ["--num_threads", "1", "--num_runs", str(rounds)]
    status, written = run_program(command, _TITLE, timeout=timeout)
    if status or not result.is_file():
        raise RuntimeError(f"LiteRT's benchmark tool failed: {one_line(RuntimeError(written))}")
    median = json.loads(result.read_text())["latency"]["median_ms"]
    return median if median >= _TOOL_COARSE else None
