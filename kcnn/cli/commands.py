"""The commands and their flags.

Each command imports what it needs when it runs, so that help and lists answer at once.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from kcnn.cli import show
from kcnn.cli.check import check
from kcnn.cli.explain import explain
from kcnn.cli.export import export
from kcnn.cli.lr_find import lr_find
from kcnn.cli.models import compare_models
from kcnn.cli.report import compare, report
from kcnn.cli.shared import (
    DataDir,
    DataName,
    load_data,
    model_file,
    start_backend,
    start_tensorflow,
)
from kcnn.cli.show import console
from kcnn.cli.verify import verify
from kcnn.own_code import importable

app = typer.Typer(
    help="Classic CNNs in Keras, from CIFAR-10 to a verified int8 model on a phone.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich help costs a quarter of the start-up time
)
app.command("explain")(explain)
app.command("explain-check")(check)
app.command("export")(export)
app.command("verify")(verify)
app.command("lr-find")(lr_find)
app.command("models")(compare_models)
app.command("report")(report)
app.command("compare")(compare)


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a Python file with one.")],
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one key, e.g. train.epochs=5."),
    ] = None,
    data_dir: DataDir = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; saved_models/RECIPE if not given.")
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Every stage, in seconds.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that the folder holds.")
    ] = False,
    control: Annotated[
        bool, typer.Option("--control", help="Also train without the recipe's teacher.")
    ] = False,
) -> None:
    """Do all that a recipe says with one model, or train and compare those of a comparison."""
    from kcnn import comparison, pipeline, recipe_files
    from kcnn import recipe as recipes
    from kcnn.run_dir import RunDir

    file, changes = recipe_files.load(recipe), assignments or []
    content, folder = file.content, out or Path("saved_models") / file.name
    options = {"data_dir": data_dir, "overwrite": overwrite}
    if isinstance(content, recipes.Recipe):
        content = recipes.override(pipeline.smoke(content) if smoke else content, changes)
        RunDir(folder).check_free(overwrite=overwrite)
        start_backend()
        with importable(file.path.parent):  # the user's own code may lie beside the recipe
            finished = pipeline.run(content, file.name, folder, control=control, **options)
        show.receipts(finished)
    else:
        if control:
            raise ValueError("--control is for recipes with a teacher, not for comparisons.")
        content = pipeline.smoke_comparison(content) if smoke else content
        content = comparison.override(content, changes)
        start_backend()
        with importable(file.path.parent):
            finished = pipeline.run_comparison(content, file.name, folder, **options)
        show.comparison(finished)
    console.print(f"\nEverything is in {folder}/")


@app.command("list")
def list_(
    compare: Annotated[
        bool, typer.Option("--models", help="Compare the models, as `kcnn models` does.")
    ] = False,
) -> None:
    """List recipes, models and data sets."""
    if compare:
        compare_models()
        return
    from kcnn import data, recipe_files
    from kcnn.models import names

    table = Table("recipe", "what it does", box=None)
    for name, path in recipe_files.shipped().items():
        table.add_row(name, recipe_files.title(path))
    console.print(table)
    console.print(f"\nmodels:    {', '.join(names())}")
    console.print(f"data sets: {', '.join(data.names())}")


@app.command()
def evaluate(
    path: Annotated[Path, typer.Argument(help="A .keras or .tflite file, or a run's folder.")],
    data: DataName = None,
    data_dir: DataDir = None,
    tta: Annotated[
        str, typer.Option(help="Average over views of each image: none, flip or flip_shift.")
    ] = "none",
) -> None:
    """Score a model on a whole test set."""
    start_tensorflow()
    from kcnn.evaluation import evaluate as score

    file = model_file(path)
    loaded = load_data(file, data, data_dir)
    evaluation = score(file, loaded.test, expected_count=loaded.num_test, tta=tta)
    if len(evaluation.per_class) != len(loaded.class_names):
        raise ValueError(
            f"{str(file)!r} tells {len(evaluation.per_class)} classes, the data have "
            f"{len(loaded.class_names)}: it was made for other data."
        )
    show.evaluation(evaluation, loaded.class_names)


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="A run's folder, .keras or .tflite file.")],
) -> None:
    """Say what a run, a model or an exported file holds."""
    if (path / "results.json").is_file():
        from kcnn.report.comparison_report import load as load_comparison

        show.comparison(load_comparison(path / "results.json"))
    elif path.is_dir():
        from kcnn.report.receipts import load
        from kcnn.run_dir import RunDir

        show.receipts(load(RunDir(path).report))
    elif path.suffix == ".tflite":
        from kcnn.litert import summarize

        show.tflite(summarize(path))
    else:
        start_tensorflow()
        from kcnn import models

        models.load(path).summary(print_fn=console.print)
