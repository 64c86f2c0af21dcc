"""The command line of the benchmarks."""

import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from benchmarks import cells, parts, tables
from benchmarks.plan import BATCHES, Plan, prepare
from benchmarks.race import ROOT, Rules
from benchmarks.results import Machine, Race, Results, added, load, load_all, save, spread
from benchmarks.turns import Timing
from kcnn.errors import one_line, unknown
from kcnn.models import MODELS
from kcnn.provenance import hardware
from kcnn.run_dir import atomic

HERE = Path(__file__).resolve().parent
# The folders of `kcnn run`, and reports of the same recipes with other seeds.
RUNS = (ROOT / "saved_models", ROOT / "runs", HERE / "receipts")
# The model of the parts startup, scaling and ladder, if it is among the models asked for.
CLOSE_UP = "resnet8"

console = Console(soft_wrap=True, highlight=False, markup=False)


def main(  # noqa: PLR0913 - one option for each setting
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="PART", help=f"{', '.join(parts.PARTS)}; all if none is given."),
    ] = None,
    models: Annotated[
        str, typer.Option(help="Names, separated by commas; what is known of others stays.")
    ] = ",".join(BATCHES),
    only: Annotated[
        list[str] | None,
        typer.Option(help="A contestant; repeat it for more. What is known of others stays."),
    ] = None,
    threads: Annotated[int, typer.Option(help="Cores to use; 0 for all.")] = 0,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each contestant.")] = 3,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A check that it works: tiny networks, meaningless numbers."),
    ] = False,
    data_dir: Annotated[
        str | None, typer.Option(help="The folder of prepared tfds data sets (or TFDS_DATA_DIR).")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="For results/ and RESULTS.md; benchmarks/, or runs/quick_benchmarks."),
    ] = None,
) -> None:
    """Measure kcnn beside stock Keras 3, tf_keras and PyTorch, in turns, on this machine."""
    wanted = _checked("part", names or list(parts.PARTS), parts.PARTS)
    trained = _checked("model", models.split(","), MODELS)
    out = out or (ROOT / "runs" / "quick_benchmarks" if quick else HERE)
    file = out / "results" / f"{Machine.here().slug}.json"
    results = load(file) if file.is_file() else {}
    rules = Rules(rounds)
    if quick:
        rules = Rules(rounds=min(rounds, 2), timing=Timing(0, 0, 0.02, steps=1))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
        plan = Plan(
            Path(folder),
            rules,
            models=trained,
            close_up=CLOSE_UP if CLOSE_UP in trained else trained[0],
            threads=threads or int(hardware()["cores"]),
            only=tuple(only or ()),
            quick=quick,
            data_dir=data_dir,
            runs=RUNS,
        )
        console.print("writing images and networks")
        prepared = prepare(plan)
        for name in wanted:
            measured = parts.measure(name, prepared, _progress)
            if only and measured.races and not any(race.entries for race in measured.races):
                continue  # nobody took part
            known = results.get(name) if only or set(trained) != set(BATCHES) else None
            results[name] = added(known, measured) if known else measured
            _write(results, file, out / "RESULTS.md")
            _show(name, results)
    if prepared.offered:  # each part has its own
        _checked("contestant", plan.only, prepared.offered)
    console.print(f"\n{time.perf_counter() - started:,.0f} s; everything is in {out}/")


def _checked(kind: str, names: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise unknown(kind, name, known)
    return tuple(names)


def _write(results: Results, file: Path, text: Path) -> None:
    """Save the results of this machine, and write the text with those of all machines."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save(results, file)
    old = text if text.is_file() else HERE / "RESULTS.md"
    updated = tables.updated(old.read_text(), load_all(file.parent))
    with atomic(text) as temporary:
        temporary.write_text(updated)


def _progress(race: Race) -> None:
    """Print the result of each contestant of a race that has ended."""
    for entry in race.entries:
        found = f"{spread(entry.values)[0]:,.1f} {race.unit}" if entry.values else "nothing"
        failed = f"  FAILED: {entry.error}" if entry.error else ""
        console.print(f"  {cells.where(race)}: {cells.title(entry, race)} {found}{failed}")
    for name, why in race.left_out.items():
        console.print(f"  {cells.where(race)}: {name} left out, {why}")


def _show(name: str, results: Results) -> None:
    for table in tables.tables(name, results):
        console.print("\n" + table.title.replace("**", ""))
        grid = Grid(box=None)
        for index, column in enumerate(table.header):
            grid.add_column(column, justify="left" if index < table.names else "right")
        for row in table.rows:
            grid.add_row(*row)
        Console(width=max(console.width, 130), highlight=False).print(grid)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(main)
    try:
        app(prog_name="python -m benchmarks")
    except (ValueError, RuntimeError, OSError) as error:
        sys.stderr.write(f"benchmarks: {one_line(error)}\n")
        sys.exit(1)
