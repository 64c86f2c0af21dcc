"""The process in which Keras 2 and TF-MOT live, seen from the process of the user.

TF-MOT switches the whole process that imports it to Keras 2 (`TF_USE_LEGACY_KERAS`), so it gets one
of its own. Arrays go in through a pipe, reports come out as lines of JSON, larger things are files
in the folder of the job.
"""

import json
import logging
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

logger = logging.getLogger("kcnn")

_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore",
    # Where there is a GPU, this process already holds most of its memory.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}


@dataclass(frozen=True)
class Child:
    """A running bridge process."""

    process: subprocess.Popen
    errors: BinaryIO

    def send(self, *arrays: np.ndarray) -> None:
        """Send arrays to the child; blocks while it is busy with earlier ones.

        Raises:
            RuntimeError: the child has died; the message says of what.
        """
        try:
            for array in arrays:
                write_array(self.process.stdin, array)
            self.process.stdin.flush()
        except OSError:
            raise self._death() from None

    def receive(self) -> dict:
        """Wait for the child's next report and return it.

        Raises:
            RuntimeError: the child has died; the message says of what.
        """
        line = self.process.stdout.readline()
        if not line:
            raise self._death()
        return json.loads(line)

    def _death(self) -> RuntimeError:
        status = self.process.wait()
        self.errors.seek(0)
        errors = self.errors.read().decode(errors="replace")
        logger.debug("The TF-MOT process wrote:\n%s", errors)
        if status < 0:
            reason = f"killed by {signal.Signals(-status).name}"
            if -status == signal.SIGKILL:
                reason += ", as the system does when memory runs out"
        else:
            reason = (errors.strip().splitlines() or [f"exit status {status}"])[-1]
        return RuntimeError(f"The TF-MOT process died: {reason.rstrip('.')}.")


@contextmanager
def start_child(*folders: Path) -> Iterator[Child]:
    """Start the child on `folders`, one after the other, each written by `to_keras2.write_job`.

    It never outlives the `with` block: leaving it, on whatever path, ends the child.
    """
    # A file, not a pipe: nobody has to read it for the child to go on.
    with open(folders[0] / "errors.txt", "w+b") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kcnn.compress.bridge", *map(str, folders)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            # What can be imported here can be imported there.
            env=os.environ | _ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(_import_path())},
            # Ctrl-C is for this process, which then ends the child.
            process_group=0,
        )
        try:
            yield Child(process, errors)
        finally:
            process.kill()  # whatever was worth keeping is on the disk by now
            process.wait()
            with suppress(OSError):  # what the child no longer reads
                process.stdin.close()
            process.stdout.close()


def _import_path() -> list[str]:
    return [folder or os.getcwd() for folder in sys.path]


def write_array(stream: BinaryIO, array: np.ndarray) -> None:
    """Write one array in NumPy's .npy format, to a stream that need not be a file.

    >>> import io
    >>> stream = io.BytesIO()
    >>> write_array(stream, np.arange(6).reshape(2, 3))
    >>> _ = stream.seek(0)
    >>> read_array(stream)
    array([[0, 1, 2], [3, 4, 5]])
    """
    array = np.ascontiguousarray(array)
    header = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(stream, header)
    stream.write(array.data)


def read_array(stream: BinaryIO) -> np.ndarray:
    """Read what `write_array` wrote.

    Raises:
        ValueError: the stream ends before the array does.
    """
    np.lib.format.read_magic(stream)
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    return np.frombuffer(stream.read(math.prod(shape) * dtype.itemsize), dtype).reshape(shape)
