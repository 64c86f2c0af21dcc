"""What the environment says about the processes of a training, by the names that Keras reads."""

import os
import socket
import time

from kcnn.errors import one_line

_VARIABLES = tuple(
    f"KERAS_DISTRIBUTION_{name}" for name in ("NUM_PROCESSES", "PROCESS_ID", "JOB_ADDRESSES")
)
_WAIT = 240.0  # seconds; JAX ends the process after 300, without a word that helps
_PAUSE = 1.0


def check_variables() -> None:
    """Refuse what JAX would wait on for minutes, or break down at.

    Raises:
        ValueError: The address has no port, or the process is none of those that are announced.
    """
    count, number, addresses = (os.environ.get(name) for name in _VARIABLES)
    first = (addresses or "").split(",")[0]
    if addresses is not None and not first.rpartition(":")[2].isdecimal():
        raise ValueError(
            "KERAS_DISTRIBUTION_JOB_ADDRESSES needs the port, too: HOST:PORT of the first process. "
            f"Received: {addresses!r}"
        )
    if count is None or number is None:
        return
    numbers = count.isdecimal() and number.isdecimal()
    if not numbers or int(number) >= int(count):
        raise ValueError(
            "KERAS_DISTRIBUTION_PROCESS_ID numbers the processes from 0, and "
            "KERAS_DISTRIBUTION_NUM_PROCESSES is how many there are. "
            f"Received: process {number} of {count}"
        )


def wait_for_first(seconds: float = _WAIT) -> None:
    """Wait until the first process listens, where the environment names its address.

    Raises:
        RuntimeError: It cannot be reached.
    """
    _, number, addresses = (os.environ.get(name) for name in _VARIABLES)
    if not addresses or number in (None, "0"):
        return
    address = addresses.split(",")[0]
    host, _, port = address.rpartition(":")
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=_PAUSE).close()
        except OSError as error:
            if time.monotonic() > end:
                raise RuntimeError(
                    f"The first process cannot be reached at {address}: {one_line(error)}. Start "
                    "it, or correct KERAS_DISTRIBUTION_JOB_ADDRESSES."
                ) from error
            time.sleep(_PAUSE)
        else:
            return
