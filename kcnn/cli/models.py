"""The command `kcnn models`: a table of all networks, to choose one from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from kcnn.cli.console import console

if TYPE_CHECKING:
    from kcnn.report.best_runs import BestRun


def list_models(
    runs: Annotated[
        Path | None,
        typer.Option(help="A folder of runs with accuracies; else what is published, and runs."),
    ] = None,
) -> None:
    """Show all networks: parameters, MACs, accuracy, paper.

    Below a network are the variants of it that a run has trained.
    """
    from kcnn.model_places import PLACES
    from kcnn.models import FAMILIES
    from kcnn.models.facts import read
    from kcnn.report.best_runs import best_runs

    own = [runs] if runs else [Path("saved_models").absolute(), Path("runs")]
    folders = own if runs else list(dict.fromkeys([*PLACES, *own]))
    facts, best = read(), best_runs(*folders)
    table = Table(box=None)
    table.add_column("model", no_wrap=True)
    for name in ("parameters", "MACs", "receptive\nfield", "accuracy", "int8"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("paper")
    for family in FAMILIES.values():
        for name in family.builders:
            fact, found = facts[name], best.get(name, [])
            default = next((run for run in found if not run.variant), None)
            table.add_row(
                name,
                f"{fact.parameters:,}",
                f"{fact.macs / 1e6:,.1f} M",
                "x".join(map(str, fact.receptive_field or ())) or "-",
                *_scores(default),
                Text(family.paper, style=f"link {family.url}" if family.url else ""),
            )
            for run in found:
                if run.variant:
                    macs = f"{run.macs / 1e6:,.1f} M" if run.macs else "-"
                    table.add_row(
                        f"  {run.variant}", f"{run.parameters:,}", macs, "", *_scores(run), ""
                    )
    console.print(table)
    console.print(
        "\nAs built by default, for one image of 32x32 RGB pixels and 10 classes; below a\n"
        "network the variants that were trained. Parameters include those that do not train;\n"
        "MACs are multiply-accumulates; the receptive field is what one unit of the last\n"
        "feature map sees, also beyond the border. Accuracy is that of the best float run\n"
        f"{f'in {runs}/' if runs else 'that is published or in runs/'} on all CIFAR-10 test "
        "images, int8 that of the same run's file."
    )


def _scores(run: "BestRun | None") -> tuple[str, str]:
    """Return the accuracy of a run and that of its int8 file."""
    if run is None:
        return "-", "-"
    return f"{run.accuracy:.2%}", "-" if run.int8 is None else f"{run.int8:.2%}"
