"""The stage table, once for the terminal and once for Markdown."""

from kcnn.report.stages import Report, Stage

HEADER = ("stage", "accuracy", "zeros", "bytes", "gzip bytes", "ms/image")


def row(stage: Stage) -> tuple[str, ...]:
    """Return one stage's cells, in the order of `HEADER`."""
    return (
        stage.name,
        f"{stage.accuracy:.2%}",
        f"{stage.sparsity:.0%}",
        f"{stage.bytes:,}",
        f"{stage.gzip_bytes:,}",
        f"{stage.ms_per_image:.3f}",
    )


def caption(report: Report) -> str:
    """Return what the numbers mean, in one line."""
    return (
        f"{report.recipe}: accuracy on all {report.stages[0].count:,} test images of "
        f"{report.dataset}; ms/image in LiteRT on one thread, one image at a time "
        f"({report.hardware['processor']})"
    )


def markdown(report: Report) -> str:
    """Return the table as Markdown, numbers right-aligned."""
    lines = [HEADER, ("---", *["---:"] * (len(HEADER) - 1)), *map(row, report.stages)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
