"""A table in Markdown."""

from collections.abc import Iterable, Sequence


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, left: Iterable[int] = (0,)
) -> str:
    """Return a table in Markdown, without a line break at its end.

    Args:
        header: the titles of the columns.
        rows: their cells.
        left: the columns that are aligned on the left; the others, of numbers, on the right.

    >>> print(markdown_table(["class", "images"], [["cat", "1,000"]]))
    | class | images |
    | --- | ---: |
    | cat | 1,000 |
    """
    texts = {*left}
    rules = ["---" if column in texts else "---:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rules, *rows))
