"""Open a `.tflite` file from others in a process of its own first.

LiteRT trusts much of what a file says: some damaged files end the process that opens them. Whatever
such a file does, it does it to a child process with a limit of time and of memory.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from kcnn.child_process import die_with_parent
from kcnn.litert.structure import damaged
from kcnn.litert.tflite_file import summarize

_SECONDS = 60.0
_MEMORY = 2**32  # bytes, and four times the file's own


def try_file(
    path: str | os.PathLike, *, run: bool, seconds: float = _SECONDS, memory: int = _MEMORY
) -> None:
    """Check in a child process that a `.tflite` file can be opened, before this process opens it.

    Args:
        path: the file.
        run: load it as a `TFLiteClassifier` and classify one black image too.
        seconds: after which the child is ended.
        memory: bytes that the child may use, beside four times the file's size. Windows has no
            such limit.

    Raises:
        ValueError: the file is refused, ends the child, or exceeds a limit.
    """
    path = Path(path)
    command = [sys.executable, "-P", "-m", "kcnn.litert.trial", path, str(int(run)), str(memory)]
    folders = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    try:
        done = subprocess.run(
            die_with_parent(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
            # What it can import is what this process can import.
            env=os.environ | {"PYTHONPATH": folders, "OPENBLAS_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        raise damaged(path, TimeoutError(f"it took longer than {seconds:g} s")) from None
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise damaged(path, RuntimeError(f"it ended LiteRT's process ({name})"))
    if done.returncode:
        reason = done.stdout.decode(errors="replace").strip()
        raise ValueError(reason or str(damaged(path, RuntimeError("its check failed"))))


def main(path: Path, run: bool, memory: int) -> str | None:
    """Open the file under the limit of memory; return why it is refused, None if it is not."""
    try:
        _limit(memory + 4 * path.stat().st_size if path.is_file() else memory)
        if run:
            _classify(path)
        else:
            summarize(path)
    except ValueError as error:
        return str(error)
    except MemoryError:
        return str(damaged(path, MemoryError("it needs too much memory")))
    except Exception as error:  # LiteRT may raise anything on a damaged file
        return str(damaged(path, error))
    return None


def _classify(path: Path) -> None:
    import numpy as np

    from kcnn.litert.classifier import TFLiteClassifier

    classifier = TFLiteClassifier(path)
    classifier(np.zeros((1, *classifier.input_shape), np.uint8))


def _limit(memory: int) -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    refused = main(Path(sys.argv[1]), bool(int(sys.argv[2])), int(sys.argv[3]))
    if refused:
        sys.stdout.buffer.write(refused.encode(errors="replace"))
        sys.exit(1)
