"""A command in this process, which leaves the logger of kcnn as it was; and programs beside it."""

import logging
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from kcnn.cli import main


@contextmanager
def started(command: list, **options) -> Iterator[subprocess.Popen]:
    """Start a program; it is killed if what is done beside it fails."""
    with subprocess.Popen(command, **options) as program:
        try:
            yield program
        except BaseException:
            program.kill()
            raise


def run_command(*arguments):
    """Run a command and return its exit code."""
    names = ("kcnn", "tensorflow", "absl")
    loggers = [logging.getLogger(name) for name in names]
    before = [(each.level, each.propagate, each.handlers) for each in loggers]
    try:
        main([str(each) for each in arguments])
    except SystemExit as ended:
        return ended.code or 0
    finally:
        for each, (level, propagate, handlers) in zip(loggers, before, strict=True):
            each.level, each.propagate, each.handlers = level, propagate, handlers
    return 0
