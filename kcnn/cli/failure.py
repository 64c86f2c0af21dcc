"""The one line that a command which fails ends with."""

import errno
import os
import sysconfig
import traceback
from pathlib import Path

from kcnn.errors import Advised, one_line

_LIMIT = 1000
_TRACEBACK = "KCNN_DEBUG=1 shows the traceback."
# The disk, a quota or the largest size of a file: the errors of a disk with no room.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_KCNN = str(Path(__file__).parents[1])


def failure_line(error: Exception) -> str:
    """Return what a command says of an error, in one line.

    An error that kcnn expects is worded by its message alone. Any other one is a bug, of kcnn or of
    the user's own code, and the line says of which and how to see the traceback.
    """
    said = ValueError(error.command) if isinstance(error, Advised) else error
    reason = one_line(said, _LIMIT)
    if isinstance(error, MemoryError):
        return f"The memory does not suffice: {reason}. {_TRACEBACK}"
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"{reason}: no more can be written. Free some room and run the same command again."
    if _is_expected(error):
        return reason
    reason = f"{type(error).__name__}: {reason}".removesuffix(f": {type(error).__name__}")
    own = _own_line(error)
    if own:
        return f"{own}: {reason} ({_TRACEBACK})"
    return f"{reason} (This is a bug in kcnn, please report it: {_TRACEBACK})"


def _is_expected(error: Exception) -> bool:
    if isinstance(error, RecursionError | NotImplementedError):  # which are RuntimeErrors
        return False
    # Of a TensorFlow operation, such as reading an image while training.
    of_tensorflow = type(error).__module__ == "tensorflow.python.framework.errors_impl"
    return of_tensorflow or isinstance(error, ValueError | RuntimeError | OSError)


def _own_line(error: Exception) -> str | None:
    """Return the last line of the user's own code, "file:number", that the error came through."""
    paths = sysconfig.get_paths()
    others = tuple(
        folder + os.sep
        for folder in (_KCNN, *(paths[key] for key in ("stdlib", "platstdlib", "purelib")))
    )
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        is_file = Path(frame.filename).is_file()  # "<string>" is none, nor is generated code
        if is_file and not frame.filename.startswith(others):
            return f"{frame.filename}:{frame.lineno}"
    return None
