"""Start and talk to the child process in which Keras 2 and TF-MOT run.

TF-MOT switches the whole process that imports it to Keras 2 (`TF_USE_LEGACY_KERAS`), so it runs in
a process of its own. Arrays go in through a pipe, reports come out as lines of JSON, and larger
things are files in the job's folder.
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
from typing import IO, Any, cast

import numpy as np

from kcnn.child_process import die_with_parent, same_imports

logger = logging.getLogger("kcnn")

_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore",
    # On a GPU, the parent already holds most of the memory.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}


@dataclass(frozen=True)
class Child:
    """A running child process.

    Attributes:
        process: the process itself.
        arrays: its standard input.
        reports: its standard output, a line of JSON each.
        errors: the file that its standard error goes to.
    """

    process: subprocess.Popen[bytes]
    arrays: IO[bytes]
    reports: IO[bytes]
    errors: IO[bytes]

    def send(self, *arrays: np.ndarray) -> None:
        """Send arrays to the child. This blocks while the child is busy with earlier ones.

        Raises:
            RuntimeError: the child has died; the message says why.
        """
        try:
            for array in arrays:
                write_array(self.arrays, array)
            self.arrays.flush()
        except OSError:
            raise self._death() from None

    def receive(self) -> dict[str, Any]:
        """Wait for the child's next report and return it.

        Raises:
            RuntimeError: the child has died; the message says why.
        """
        line = self.reports.readline()
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
    """Start a child that does the job of each folder in turn, and yield it.

    `to_keras2.write_job` writes the folders. Leaving the `with` block ends the child, also after an
    error. If this process is killed, the child ends too: on Linux at once, elsewhere at the end of
    its standard input.
    """
    # A file, not a pipe: a full pipe would block the child until somebody reads it.
    with open(folders[0] / "errors.txt", "w+b") as errors:
        process = subprocess.Popen(
            die_with_parent([sys.executable, "-P", "-m", "kcnn.compress.bridge", *folders]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            # It imports kcnn first, so it has oneDNN even where this process does not.
            env=os.environ | _ENVIRONMENT | same_imports(),
            # Ctrl-C reaches this process only, which then ends the child.
            process_group=0,
        )
        # subprocess types them as None or a stream; with PIPE they are streams.
        arrays, reports = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
        try:
            yield Child(process, arrays, reports, errors)
        finally:
            process.kill()  # the result is already on disk
            process.wait()
            with suppress(OSError):  # closing flushes, and the child no longer reads
                arrays.close()
            reports.close()


def write_array(stream: IO[bytes], array: np.ndarray) -> None:
    """Write one array in NumPy's .npy format to a stream, which need not be a file.

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


def read_array(stream: IO[bytes]) -> np.ndarray:
    """Read one array that `write_array` wrote.

    Raises:
        ValueError: the stream ends before the array does.
    """
    np.lib.format.read_magic(stream)
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    return np.frombuffer(stream.read(math.prod(shape) * dtype.itemsize), dtype).reshape(shape)
