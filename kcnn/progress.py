"""Progress bars of calls that take long, as Keras draws them."""

import logging
import sys
from typing import Any

import keras

logger = logging.getLogger("kcnn")


def writes_lines() -> bool:
    """Return whether progress goes to the log, where lines are read: in files and services."""
    return logger.isEnabledFor(logging.INFO) and not sys.stdout.isatty()


def in_notebook() -> bool:
    """Return whether this is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


class Progress:
    """A bar in a notebook or a terminal; nothing elsewhere, and beside the lines of the log.

    Args:
        title: a line above the bar.
        steps: how many there will be; None, for no bar, if that is not known.

    >>> progress = Progress("scoring", steps=2)
    >>> progress.add()
    """

    def __init__(self, title: str, steps: int | None) -> None:
        self._bar: Any = None
        if steps and (sys.stdout.isatty() or in_notebook()) and not writes_lines():
            sys.stdout.write(f"{title}\n")
            self._bar = keras.utils.Progbar(steps)

    def add(self, steps: int = 1, **values: float) -> None:
        """Note that steps are done, with what is shown beside the bar."""
        if self._bar is not None:
            self._bar.add(steps, values=list(values.items()))
