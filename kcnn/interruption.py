"""Ctrl-C and its relatives: one way out of a training, in which nothing is lost."""

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Interrupted(KeyboardInterrupt):
    """A signal ended the training after a whole step; the model has its best weights.

    Attributes:
        signal: the signal's number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.signal = number


class StopRequest:
    """Whether a signal has asked the training to stop.

    Attributes:
        signal: the signal's number; None while there was none.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: the first is noted, a second one raises KeyboardInterrupt."""
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number


@contextmanager
def catch_signals() -> Iterator[StopRequest]:
    """Note the first SIGINT, SIGTERM or SIGHUP; a second one raises KeyboardInterrupt at once.

    Outside the main thread, where Python handles no signals, nothing is caught.

    >>> with catch_signals() as request:
    ...     signal.raise_signal(signal.SIGTERM)
    >>> request.signal == signal.SIGTERM
    True
    """
    request, before = StopRequest(), _handlers()
    _handle(dict.fromkeys(before, request.note))
    try:
        yield request
    finally:
        _handle(before)


class FitSignals:
    """Notes the signals that come while Keras's own `fit` of a model runs.

    Where `fit` fails it calls no callback, so the handlers may stay. One that finds no such `fit`
    among the functions that run puts the earlier handlers back, and the signal is theirs.

    Args:
        model: the model.
    """

    def __init__(self, model: Any) -> None:
        self._model, self._request = model, StopRequest()
        self._before: dict[int, Any] = {}

    @property
    def signal(self) -> int | None:
        """The number of the first signal that came; None while there was none."""
        return self._request.signal

    def watch(self) -> None:
        """Begin; outside the main thread, where Python handles no signals, nothing is noted."""
        self._before = _handlers()
        _handle(dict.fromkeys(self._before, self._note))

    def end(self) -> None:
        """Put the earlier handlers back."""
        _handle(self._before)
        self._before = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self._runs(frame):
            self.end()
            signal.raise_signal(number)
        else:
            self._request.note(number, frame)

    def _runs(self, frame: FrameType | None) -> bool:
        while frame is not None:
            if frame.f_code.co_name == "fit" and frame.f_locals.get("self") is self._model:
                return True
            frame = frame.f_back
        return False


def _handlers() -> dict[int, Any]:
    """Return the handlers of the signals that can be caught; of none outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    # A handler that is not Python's own cannot be put back: such a signal stays as it is.
    found = {each: signal.getsignal(each) for each in _SIGNALS}
    return {each: old for each, old in found.items() if old not in (None, signal.SIG_IGN)}


def _handle(handlers: Mapping[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
