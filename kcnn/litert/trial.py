"""Open a `.tflite` model from others in a process of its own first.

LiteRT trusts much of what a file says: some damaged files end the process that opens them. Whatever
such a file does, it does it to a child process with a limit of time and of memory. What this
process has written itself, or tried before, is not tried again.
"""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Literal

from kcnn.child_process import die_with_parent, same_imports
from kcnn.errors import one_line
from kcnn.litert.structure import damaged

Use = Literal["read", "run", "map"]
"""What a model is opened for: to read what it holds, to classify images, or for its feature map."""

_SECONDS = 60.0
_MEMORY = 2**32  # bytes, and four times the model's own
_SAFE: set[tuple[str, Use]] = set()  # digests of what was tried, and what for
_TURN = threading.Lock()


def trust(data: bytes) -> None:
    """Note that this process has made a model itself, so that it need not be tried."""
    digest = hashlib.sha256(data).hexdigest()
    _SAFE.update({(digest, "read"), (digest, "run"), (digest, "map")})


def try_model(
    data: bytes,
    path: Path,
    use: Use = "read",
    *,
    seconds: float = _SECONDS,
    memory: int = _MEMORY,
) -> None:
    """Check in a child process that a model can be opened, before this process opens it.

    The second call with the same bytes does nothing; the first one takes a fraction of a second.

    Args:
        data: the bytes of a `.tflite` file.
        path: the file, which errors name.
        use: what they will be used for; the child does the same, with three images.
        seconds: after which the child is ended.
        memory: bytes that the child may use, beside four times the model's size. Windows has no
            such limit.

    Raises:
        ValueError: the model is refused, ends the child, or exceeds a limit.
    """
    digest = hashlib.sha256(data).hexdigest()
    if (digest, use) in _SAFE:
        return
    with _TURN:  # threads that open the same file try it once
        if (digest, use) not in _SAFE:
            _try(data, path, use, seconds, memory)
            _SAFE.update({(digest, "read"), (digest, use)})


def _try(data: bytes, path: Path, use: Use, seconds: float, memory: int) -> None:
    limit = str(memory + 4 * len(data))
    command = [sys.executable, "-P", "-W", "ignore", "-m", "kcnn.litert.trial_child"]
    try:
        child = subprocess.run(
            die_with_parent([*command, path, use, limit]),
            input=data,
            capture_output=True,
            timeout=seconds,
            check=False,
            env=os.environ | same_imports() | {"OPENBLAS_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        raise damaged(path, TimeoutError(f"it took longer than {seconds:g} s")) from None
    messages = _native_messages(child.stderr)
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        raise damaged(
            path, RuntimeError(f"it ended LiteRT's process ({name}{messages and f': {messages}'})")
        )
    if child.returncode:
        reason = child.stdout.decode(errors="replace").strip()
        if not reason:  # the child did not come so far
            raise RuntimeError(f"{path} cannot be tried in a process of its own: {messages}")
        raise ValueError(
            reason if not messages or messages in reason else f"{reason} (LiteRT: {messages})"
        )


def _native_messages(written: bytes) -> str:
    """Return the end of what native code wrote to standard error, in one line."""
    lines = [line.strip() for line in written.decode(errors="replace").splitlines()]
    errors = [line for line in lines if line and not line.startswith(("INFO:", "WARNING:"))]
    return one_line(RuntimeError(" ".join(errors)[-300:])) if errors else ""
