"""Other programs, from their start to their end: what they answer, and how they failed."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kcnn.errors import one_line
from kcnn.runtimes.runtime import Run, Task

_CHILD = Path(__file__).with_name("child.py")


def classify(
    python: Path,
    title: str,
    job: Mapping[str, object],
    task: Task,
    *,
    timeout: float,
) -> Run:
    """Let `child.py` classify the images of a task.

    Args:
        python: of the environment that has the runtime.
        title: of the runtime, for the errors.
        job: what `child.py` is told besides.
        task: the model and the images.
        timeout: seconds after which it is ended.

    Raises:
        RuntimeError: it failed; the message says how.
    """
    with tempfile.TemporaryDirectory(prefix="kcnn-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(task.model)
        np.save(folder / "images.npy", task.pixels)
        report = run_child(python, title, {"task": "classify", **job}, folder, timeout=timeout)
        outputs = np.load(folder / "outputs.npy")
    return task.answer(outputs, report["milliseconds"], report["details"])


def run_child(
    python: Path, title: str, job: Mapping[str, object], folder: Path, *, timeout: float
) -> dict:
    """Let `child.py` do a job on the files of a folder and return its report.

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
        raise RuntimeError(f"{title} cannot run the model: {reason}")
    return answer


def run_program(
    command: Sequence[str | os.PathLike],
    title: str,
    *,
    timeout: float,
    folder: Path | None = None,
) -> tuple[int, str]:
    """Run a program to its end; return its status and what it wrote to standard error.

    Raises:
        RuntimeError: it is not there, or took longer than `timeout` seconds; then it is ended,
            with all that it started.
    """
    # A file, not a pipe: nobody has to read it for the program to go on.
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                # Ctrl-C is for this process, which then ends the other and all that it started.
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
        errors.seek(0)
        return status, errors.read().decode(errors="replace")


def end(process: subprocess.Popen) -> None:
    """End a program and all that it started, if it has not ended by itself.

    It must have been started in a session of its own.
    """
    if process.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()


def _death(status: int, written: str) -> str:
    if status < 0:
        return f"crashed ({signal.Signals(-status).name})"
    lines = written.strip().splitlines() or [f"exit status {status}"]
    return f"failed ({one_line(RuntimeError(lines[-1]))})"
