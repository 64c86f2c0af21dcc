"""Images that cannot be read: all of them are found and named at once."""

import logging
from collections.abc import Iterable

from kcnn.errors import Advised

logger = logging.getLogger("kcnn")

_NAMED = 3


class Damaged(Advised):
    """Images that cannot be read.

    Attributes:
        problems: One line for each of them.
    """

    problems: tuple[str, ...] = ()


def damage(problems: Iterable[str]) -> Damaged:
    """Return the error for images that cannot be read.

    It names the first ones; see `name_damaged` for the others.

    >>> "skip_damaged" in str(damage(["Image 'a.png' cannot be read: it is damaged."]))
    True
    """
    problems = tuple(problems)
    count = f"{len(problems)} images cannot be read. " * (len(problems) > 1)
    more = f" And {len(problems) - _NAMED} more." * (len(problems) > _NAMED)
    error = Damaged(
        f"{count}{' '.join(problems[:_NAMED])}{more}",
        python="To leave out such files of a folder: kcnn.data.Folder(path, skip_damaged=True).",
        command="To leave out such files of a folder: --skip-damaged.",
    )
    error.problems = problems
    return error


def name_damaged(problems: Iterable[str]) -> None:
    """Log each image that cannot be read in a line of its own."""
    for problem in problems:
        logger.warning("%s", problem)
