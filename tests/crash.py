"""Crash the process in which another one tries a `.tflite` file, as a damaged file may."""

import os
import signal
import threading
import time
from pathlib import Path


def crash_trial_of(pid):
    """Send SIGSEGV to the child of a process that tries a file, as soon as there is one."""

    def crash():
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            for child in _children(pid):
                if b"kcnn.litert.trial" in _read(Path(f"/proc/{child}/cmdline")):
                    os.kill(int(child), signal.SIGSEGV)
                    return
            time.sleep(0.01)

    threading.Thread(target=crash, daemon=True).start()


def _children(pid):
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [child for file in found for child in _read(file).decode().split()]


def _read(path):
    try:
        return path.read_bytes()
    except OSError:  # the process has ended
        return b""
