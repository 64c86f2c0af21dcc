"""The command line. Only here kcnn has flags, and only here it prints.

`commands` lists the commands, `show` prints tables.
"""

import logging
import os
import sys
from collections.abc import Sequence

from kcnn.cli.commands import app
from kcnn.errors import one_line

__all__ = ["main", "run_file"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command.

    A user's mistake ends with one line on stderr and exit code 1, Ctrl-C with exit code 130. With
    KCNN_DEBUG set, a mistake shows its traceback.
    """
    _log_to_stdout()
    try:
        app(arguments)
    except Exception as error:
        expected = isinstance(error, ValueError | RuntimeError | OSError)
        if "KCNN_DEBUG" in os.environ or not (expected or _from_tensorflow(error)):
            raise
        print(f"kcnn: {one_line(error, limit=1000)}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None


def _from_tensorflow(error: Exception) -> bool:
    """Return whether a TensorFlow operation failed, such as reading an image while training."""
    return type(error).__module__ == "tensorflow.python.framework.errors_impl"


def _log_to_stdout() -> None:
    logger = logging.getLogger("kcnn")
    logger.setLevel(logging.INFO)
    logger.propagate = False  # TensorFlow gives the root logger a handler of its own
    logger.handlers = [logging.StreamHandler(sys.stdout)]
    for chatty in ("tensorflow", "absl"):
        logging.getLogger(chatty).setLevel(logging.ERROR)


def run_file(path: str) -> None:
    """Run a recipe file with the flags of `kcnn run`; every recipe ends with this call."""
    main(["run", path, *sys.argv[1:]])
