"""One process at a time in a folder."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

logger = logging.getLogger("kcnn")


@contextmanager
def locked(folder: Path, if_busy: Callable[[], object]) -> Iterator[None]:
    """Hold a folder while inside; made if absent.

    The folder itself is locked, so no file is left, and the lock dies with the process, however
    that ends. On a system or a file system without `flock` nothing is locked.

    Args:
        folder: to hold.
        if_busy: called if another process holds the folder: it raises an error, or it returns, and
            this process waits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if_busy()
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:  # such as a folder in the network
            logger.warning("%s cannot be locked against another process: %s", folder, error)
        if not _has_name(handle, folder):  # another process has just put one in its place
            if_busy()
        yield
    finally:
        os.close(handle)


def _has_name(handle: int, folder: Path) -> bool:
    """Return whether an open folder is the one that has the name now."""
    return folder.is_dir() and os.path.samestat(os.fstat(handle), os.stat(folder))


def is_locked(folder: Path) -> bool:
    """Return whether another process holds a folder; False where nothing is locked."""
    if fcntl is None or not folder.is_dir():
        return False
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # such as a folder in the network
        return False
    finally:
        os.close(handle)
    return False
