"""The command `kcnn models`: a table of all networks, to choose one from."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from kcnn.cli.console import console


def list_models(
    runs: Annotated[
        Path | None,
        typer.Option(help="A folder of runs with accuracies; else saved_models and runs."),
    ] = None,
) -> None:
    """Show all networks: parameters, MACs, accuracy, paper."""
    from kcnn.models import FAMILIES
    from kcnn.models.facts import read
    from kcnn.report.best_runs import best_runs

    folders = [runs] if runs else [Path("saved_models"), Path("runs")]
    facts, best = read(), best_runs(*folders)
    table = Table(box=None)
    table.add_column("model", no_wrap=True)
    for name in ("parameters", "MACs", "receptive\nfield", "accuracy"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("paper")
    for family in FAMILIES.values():
        for name in family.builders:
            fact, run = facts[name], best.get(name)
            table.add_row(
                name,
                f"{fact.parameters:,}",
                f"{fact.macs / 1e6:,.1f} M",
                "x".join(map(str, fact.receptive_field or ())) or "-",
                f"{run.accuracy:.2%}" if run else "-",
                Text(family.paper, style=f"link {family.url}" if family.url else ""),
            )
    console.print(table)
    console.print(
        "\nAs built by default, for one image of 32x32 RGB pixels and 10 classes. Parameters\n"
        "include those that do not train; MACs are multiply-accumulates; the receptive\n"
        "field is what one unit of the last feature map sees, also beyond the border.\n"
        "Accuracy is that of the best float run in "
        f"{' or '.join(f'{folder}/' for folder in folders)} on all CIFAR-10 test images."
    )
