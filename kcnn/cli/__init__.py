"""The command line. Only here kcnn has flags, and only here it prints.

`commands` lists the commands, `show` prints tables, `console` is where everything is printed, and
`failure` is the line of a command that fails.
"""

import gc
import logging
import os
import sys
from collections.abc import Sequence

from kcnn.cli.commands import app
from kcnn.cli.console import LogHandler, TextFormatter, print_any_character, print_error
from kcnn.cli.failure import failure_line
from kcnn.cli.signals import interrupted_by_signals

__all__ = ["main", "run_file"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command.

    An error ends with one line on stderr and exit code 1, Ctrl-C with exit code 130, SIGTERM with
    143, SIGHUP with 129. With KCNN_DEBUG set, an error shows its traceback.
    """
    # The imports and the graphs of a command make hundreds of thousands of objects that stay. By
    # its own threshold, Python looks at them for a tenth of the time to a training's first step.
    gc.set_threshold(10_000)
    _log_to_stdout()
    try:
        with interrupted_by_signals():
            app(arguments)
    except Exception as error:
        if "KCNN_DEBUG" in os.environ:
            raise
        print_error(failure_line(error))
        raise SystemExit(1) from None


def _log_to_stdout() -> None:
    logger = logging.getLogger("kcnn")
    logger.setLevel(logging.INFO)
    logger.propagate = False  # TensorFlow gives the root logger a handler of its own
    print_any_character()
    handler = LogHandler(sys.stdout)
    handler.setFormatter(TextFormatter())
    logger.handlers = [handler]
    for chatty in ("tensorflow", "absl"):
        logging.getLogger(chatty).setLevel(logging.ERROR)


def run_file(path: str, command: str = "run") -> None:
    """Run a recipe file with the flags of `kcnn run`; every recipe ends with this call.

    A file with a sweep passes "tune".
    """
    main([command, path, *sys.argv[1:]])
