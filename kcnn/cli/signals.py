"""SIGTERM and SIGHUP end a command as Ctrl-C does: children end, temporary folders are removed."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from kcnn.interruption import Interrupted


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Raise `Interrupted` where SIGTERM or SIGHUP comes while inside.

    A signal that is ignored stays so, as SIGHUP under nohup. The exit code names the signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise Interrupted(number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {each: signal.getsignal(each) for each in (getattr(signal, name) for name in names)}
    caught = {each: old for each, old in before.items() if old == signal.SIG_DFL}
    for each in caught:
        signal.signal(each, stop)
    try:
        yield
    except SystemExit as ended:
        if received and ended.code == 128 + signal.SIGINT:  # what Typer makes of any interruption
            raise SystemExit(128 + received[0]) from None
        raise
    finally:
        for each, old in caught.items():
            signal.signal(each, old)
