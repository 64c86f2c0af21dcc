"""The table of a run's receipts, for the terminal and for Markdown."""

from collections.abc import Sequence

from kcnn.report.markdown_table import markdown_table
from kcnn.report.receipts import Receipt, Report

HEADER = ("variant", "accuracy", "zeros", "bytes", "gzip bytes", "ms/image")
"""The columns that every report has."""

_OPTIONAL = {  # column -> field of a receipt that not every report has
    "ms, 2 threads": "ms_two_threads",
    "parameters": "parameters",
    "MACs": "macs",
    "arena bytes": "arena_bytes",
}


def optional_columns(receipts: Sequence[Receipt]) -> dict[str, str]:
    """Return the optional columns that the receipts fill: title -> field of `Receipt`."""
    return {
        title: field
        for title, field in _OPTIONAL.items()
        if any(getattr(receipt, field) is not None for receipt in receipts)
    }


def header(report: Report) -> tuple[str, ...]:
    """Return the titles of the report's columns."""
    return (*HEADER, *optional_columns(report.receipts))


def row(receipt: Receipt, titles: Sequence[str] = HEADER) -> tuple[str, ...]:
    """Return one receipt's cells, in the order of `titles`."""
    optional = [getattr(receipt, _OPTIONAL[title]) for title in titles[len(HEADER) :]]
    return (
        receipt.name,
        f"{receipt.accuracy:.2%}",
        f"{receipt.sparsity:.0%}",
        f"{receipt.bytes:,}",
        f"{receipt.gzip_bytes:,}",
        _cell(receipt.ms_per_image),
        *map(_cell, optional),
    )


def _cell(number: float | int | None) -> str:
    if number is None:
        return ""
    return f"{number:.3f}" if isinstance(number, float) else f"{number:,}"


def caption(report: Report) -> str:
    """Return what the numbers mean, in one line."""
    return (
        f"{report.recipe}: accuracy on all {report.receipts[0].count:,} test images of "
        f"{report.dataset}; ms/image in LiteRT on one thread, one image at a time, "
        f"on {report.hardware.get('processor', 'a processor that is not known')}"
    )


def markdown(report: Report) -> str:
    """Return the table as Markdown, numbers right-aligned."""
    titles = header(report)
    return markdown_table(titles, [row(receipt, titles) for receipt in report.receipts])
