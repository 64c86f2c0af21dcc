"""Child processes that end with the process that started them, also when SIGKILL ends that one.

On Linux the kernel does it. This file is also the program that tells the kernel so, and then
becomes the program that was wanted: `python child_process.py PARENT COMMAND...`. The alternative,
a function that runs in the child between fork and exec (`preexec_fn`), can hang in a process with
threads, such as TensorFlow's.
"""

import ctypes
import errno
import os
import shutil
import signal
import sys
from collections.abc import Sequence

LINUX = sys.platform == "linux"
_LAUNCHER = (sys.executable, "-I", "-S", __file__)
_PR_SET_PDEATHSIG = 1


def die_with_parent(command: Sequence[str | os.PathLike]) -> list[str]:
    """Return a command that runs `command` and, on Linux, is killed when this process ends.

    Use it in the thread that waits for the program: the kernel counts the end of the thread that
    started a process. Processes that the program starts are not included. Elsewhere than on Linux
    the command is returned as it is: give the child a pipe as standard input, and let it end at the
    pipe's end.

    Args:
        command: the program, a path or a name that PATH finds, and its arguments.

    Raises:
        OSError: there is no such program, or it may not be run.
    """
    words = [os.fspath(word) for word in command]
    if shutil.which(words[0]) is None:
        code = errno.EACCES if os.path.exists(words[0]) else errno.ENOENT
        raise OSError(code, os.strerror(code), words[0])
    if not LINUX:
        return words
    return [*_LAUNCHER, str(os.getpid()), *words]


def same_imports() -> dict[str, str]:
    """Return the environment variable with which a child imports what this process imports."""
    return {"PYTHONPATH": os.pathsep.join(folder or os.getcwd() for folder in sys.path)}


def main(parent: int, command: list[str]) -> None:
    """Become the program of `command`, which is killed when the process `parent` ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606  # the caller's own command, without a shell
    except OSError as error:
        sys.exit(f"Cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
