"""A command in this process, which leaves the logger of kcnn as it was."""

import logging

from kcnn.cli import main


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
