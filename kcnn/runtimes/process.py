"""Run other programs to their end: what they return, and how they failed."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kcnn.child_process import LINUX, die_with_parent
from kcnn.errors import one_line
from kcnn.runtimes.runtime import Run, Task
from kcnn.runtimes.times import times_of

_CHILD = Path(__file__).with_name("child.py")


def classify(
    python: Path,
    title: str,
    job: Mapping[str, str | int | float],
    task: Task,
    *,
    timeout: float,
) -> Run:
    """Classify the images of a task in a `child.py`.

    Args:
        python: of the environment that has the runtime.
        title: of the runtime, which errors name.
        job: the runtime and its options, as `child.py` reads them.
        task: the model and the images.
        timeout: seconds after which the process is ended.

    Raises:
        RuntimeError: it failed; the message says how.
    """
    with tempfile.TemporaryDirectory(prefix="kcnn-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(task.model)
        np.save(folder / "images.npy", task.pixels)
        report = run_child(python, title, {"task": "classify", **job}, folder, timeout=timeout)
        outputs = np.load(folder / "outputs.npy")
    times = times_of(report["first"], report["milliseconds"])
    return task.answer(outputs, times.p50, report["details"] | {"times": times})


def run_child(
    python: Path, title: str, job: Mapping[str, Any], folder: Path, *, timeout: float
) -> dict[str, Any]:
    """Run a job of `child.py` on the files of a folder and return its report.

    Raises:
        RuntimeError: it failed; the message says how.
    """
    (folder / "job.json").write_text(json.dumps(job))
    status, written = run_program([python, "-P", _CHILD, folder], title, timeout=timeout)
    report = folder / "report.json"
    if status or not report.is_file():
        raise RuntimeError(f"{title} {_death(status, written)} on this model.")
    answer = json.loads(report.read_text())
    if "error" in answer:
        reason = one_line(RuntimeError(answer["error"]))
        raise RuntimeError(f"{title} cannot run the model: {reason}{_last_failure(written)}")
    return answer


def run_program(
    command: Sequence[str | os.PathLike],
    title: str,
    *,
    timeout: float,
    folder: Path | None = None,
) -> tuple[int, str]:
    """Run a program to its end; return its exit status and what it wrote to standard error.

    If this process is killed, the program ends too, see `kcnn.child_process`.

    Raises:
        RuntimeError: the program does not exist, or took longer than `timeout` seconds; it is then
            ended, with all processes that it started.
    """
    # A file, not a pipe: a full pipe would stop the program until somebody reads it.
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                die_with_parent(command),
                cwd=folder,
                # A `child.py` ends at the end of this pipe, when this process ends.
                stdin=subprocess.DEVNULL if LINUX else subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                # Ctrl-C reaches this process only, which then ends the program and its children.
                start_new_session=True,
            )
        except OSError as error:
            raise RuntimeError(f"{title}: cannot start {command[0]}: {error.strerror}.") from error
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise RuntimeError(
                f"{title} took longer than {timeout:g} s: raise the timeout, or pass fewer images."
            ) from None
        finally:
            end(process)
            if process.stdin:
                process.stdin.close()
        errors.seek(0)
        return status, errors.read().decode(errors="replace")


def end(process: subprocess.Popen) -> None:
    """End a program that is still running, with all processes that it started.

    It must have been started in a session of its own (`start_new_session=True`).
    """
    if process.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()


def _last_failure(written: str) -> str:
    """Return what the runtime itself wrote last of a failure: TFLite Micro names operators there.

    >>> _last_failure("Node EXP (number 3) failed to prepare with status 1")
    ' (Node EXP (number 3) failed to prepare with status 1)'
    """
    lines = [line for line in written.splitlines() if "failed to " in line.lower()]
    return f" ({one_line(RuntimeError(lines[-1]))})" if lines else ""


def _death(status: int, written: str) -> str:
    if status < 0:
        return f"crashed ({signal.Signals(-status).name})"
    lines = written.strip().splitlines() or [f"exit status {status}"]
    return f"failed ({one_line(RuntimeError(lines[-1]))})"
