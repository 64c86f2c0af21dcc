"""The commands `kcnn report` and `kcnn compare`: runs as pages for a browser."""

from pathlib import Path
from typing import Annotated

import typer

from kcnn.cli.console import console


def report(run: Annotated[Path, typer.Argument(help="A run's folder.")]) -> None:
    """Write a run's report.html again.

    It is made from the files in the run's folder alone; of an unfinished run it shows what there is
    so far.
    """
    from kcnn.report.run_page import write_page

    console.print(str(write_page(run)))


def compare(
    runs: Annotated[list[Path], typer.Argument(help="The folders of two runs or more.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("compare.html"),
) -> None:
    """Put runs side by side on one page."""
    from kcnn.report.side_by_side_page import write_side_by_side

    console.print(str(write_side_by_side(runs, out)))
