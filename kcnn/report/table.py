"""The stage table, once for the terminal and once for Markdown."""

from collections.abc import Sequence

from kcnn.report.stages import Report, Stage

HEADER = ("stage", "accuracy", "zeros", "bytes", "gzip bytes", "ms/image")
# What not every report has: fields of a stage, by what their columns are called.
_MORE = {
    "ms, 2 threads": "ms_two_threads",
    "parameters": "parameters",
    "MACs": "macs",
    "arena bytes": "arena_bytes",
}


def more_columns(stages: Sequence[Stage]) -> dict[str, str]:
    """Return the further columns that the stages fill: title -> field of `Stage`."""
    return {
        title: field
        for title, field in _MORE.items()
        if any(getattr(stage, field) is not None for stage in stages)
    }


def header(report: Report) -> tuple[str, ...]:
    """Return the titles of the report's columns."""
    return (*HEADER, *more_columns(report.stages))


def row(stage: Stage, titles: Sequence[str] = HEADER) -> tuple[str, ...]:
    """Return one stage's cells, in the order of `titles`."""
    numbers = [getattr(stage, _MORE[title]) for title in titles[len(HEADER) :]]
    return (
        stage.name,
        f"{stage.accuracy:.2%}",
        f"{stage.sparsity:.0%}",
        f"{stage.bytes:,}",
        f"{stage.gzip_bytes:,}",
        _cell(stage.ms_per_image),
        *map(_cell, numbers),
    )


def _cell(number: float | int | None) -> str:
    if number is None:
        return ""
    return f"{number:.3f}" if isinstance(number, float) else f"{number:,}"


def caption(report: Report) -> str:
    """Return what the numbers mean, in one line."""
    return (
        f"{report.recipe}: accuracy on all {report.stages[0].count:,} test images of "
        f"{report.dataset}; ms/image in LiteRT on one thread, one image at a time "
        f"({report.hardware['processor']})"
    )


def markdown(report: Report) -> str:
    """Return the table as Markdown, numbers right-aligned."""
    titles = header(report)
    cells = [row(stage, titles) for stage in report.stages]
    lines = [titles, ("---", *["---:"] * (len(titles) - 1)), *cells]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
