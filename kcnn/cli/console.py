"""Where the command line prints: text from others stays text, without markup or control codes."""

import io
import logging
import re
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

# A file may name its classes, and a folder itself, as it likes. Left alone are line breaks and
# tabs; replaced are the other control characters (a terminal obeys them), what reverses the order
# of letters, other line separators, and halves of characters, which cannot be written.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""Return a text with its control characters written as Python writes them.

    >>> printable("a[b]\x1b[31m, two\nlines")
    'a[b]\\x1b[31m, two\nlines'
    """
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


class TextConsole(Console):
    """A console that prints every string as it is: alone, in a table's cells and in its title.

    Rich itself takes `[red]` for a color and `:smile:` for a picture, and lets a terminal obey
    escape sequences.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Return the text of a string; Rich calls this for every string that it prints."""
        plain: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
        return super().render_str(printable(text), **(options | plain))


class TextFormatter(logging.Formatter):
    """Log lines as the console would print them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return printable(super().format(record))


class LogHandler(logging.StreamHandler):
    """Prints log lines. One that cannot be printed is passed over, without a traceback.

    The reader of a pipe may have ended, or the disk be full that the output goes to: the work is
    worth more than its log.
    """

    def handleError(self, record: logging.LogRecord) -> None:
        """Pass over the line."""


def print_any_character() -> None:
    """Let standard output write characters that it lacks as Python writes them."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


console = TextConsole(soft_wrap=True)


def print_error(line: str) -> None:
    """Print the one line on stderr that a command ends with."""
    print(f"kcnn: {printable(line)}", file=sys.stderr)  # noqa: T201
