"""Keep the messages of C++ libraries off the terminal."""

import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

logger = logging.getLogger("kcnn")

# Two threads that exchanged the one descriptor at the same time would each restore what the other
# had put there, and standard error would stay on a deleted file.
_EXCHANGE = threading.RLock()

_LEFT = ContextVar("left", default=False)


@contextmanager
def native_output() -> Iterator[None]:
    """Leave standard error where it is, whatever asks for a `native_log` inside.

    Use it where somebody reads standard error: what a log has is lost if native code ends the
    process.
    """
    token = _LEFT.set(True)
    try:
        yield
    finally:
        _LEFT.reset(token)


@contextmanager
def native_log() -> Iterator[None]:
    """Send what native code writes to standard error to the logger "kcnn", at level DEBUG.

    The TensorFlow Lite converter and LiteRT write dozens of lines to file descriptor 2, which no
    Python setting stops. The descriptor belongs to the process, so what other threads write to
    standard error at the same time goes to the logger too. A second thread waits until the first
    has left its `with` block.

    >>> with native_log():
    ...     _ = os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.")
    """
    if _LEFT.get() or not _is_open():
        yield
        return
    with _EXCHANGE, tempfile.TemporaryFile() as written:
        sys.stderr.flush()
        terminal = os.dup(2)
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            written.seek(0)
            if text := written.read().decode(errors="replace").strip():
                logger.debug("%s", text)


def _is_open() -> bool:
    """Return whether there is a standard error, which a program without a terminal may lack."""
    try:
        os.fstat(2)
    except OSError:
        return False
    return sys.stderr is not None
