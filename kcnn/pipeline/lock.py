"""One process at a time in a run's folder."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

logger = logging.getLogger("kcnn")


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold a run's folder while inside; made if absent.

    The folder itself is locked, so no file is left, and the lock dies with the process, however
    that ends. On a system or a file system without `flock` nothing is locked.

    Raises:
        ValueError: Another process holds the folder.
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
            raise ValueError(
                f"Another run is writing into {str(folder)!r}: wait for it, or name another --out."
            ) from None
        except OSError as error:  # such as a folder in the network
            logger.warning("%s cannot be locked against a second run: %s", folder, error)
        yield
    finally:
        os.close(handle)
