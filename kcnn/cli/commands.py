"""All commands, in the order in which a model goes through them.

Each command imports what it needs when it runs, so that help and lists are printed at once.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from kcnn.cli import show
from kcnn.cli.check import check
from kcnn.cli.console import console
from kcnn.cli.explain import explain
from kcnn.cli.explore import explore
from kcnn.cli.export import export
from kcnn.cli.inspect import inspect
from kcnn.cli.lr_find import lr_find
from kcnn.cli.models import list_models
from kcnn.cli.predict import predict
from kcnn.cli.report import compare, report
from kcnn.cli.robustness import robustness
from kcnn.cli.run import run
from kcnn.cli.shared import (
    DataDir,
    DataName,
    InputRangeOption,
    SkipDamaged,
    check_data_known,
    load_test,
    model_file,
    start_tensorflow,
)
from kcnn.cli.tune import tune
from kcnn.cli.verify import verify


def list_(
    models: Annotated[
        bool, typer.Option("--models", help="Only the models, as `kcnn models` does.")
    ] = False,
) -> None:
    """List recipes, models and data sets."""
    if models:
        list_models()
        return
    from kcnn import data, recipe_files
    from kcnn.models import names

    table = Table("recipe", "what it does", box=None)
    for name, path in recipe_files.shipped().items():
        table.add_row(name, recipe_files.title(path))
    console.print(table)
    console.print(f"\nmodels:    {', '.join(names())}")
    console.print(f"data sets: {', '.join(data.names())}")
    console.print(f"sweeps:    {', '.join(recipe_files.sweeps())}, for kcnn tune")


def evaluate(
    path: Annotated[
        Path, typer.Argument(help="A .keras or .tflite file, a run's folder, or a published model.")
    ],
    data: DataName = None,
    data_dir: DataDir = None,
    tta: Annotated[
        str,
        typer.Option(
            help="Average over views of each image: none, flip, flip_shift, flip_shift_unsure."
        ),
    ] = "none",
    input_range: InputRangeOption = None,
    skip_damaged: SkipDamaged = False,
) -> None:
    """Score a model on a whole test set.

    Classes are compared by name. Of a folder without training images, all images are scored.
    """
    start_tensorflow()
    from kcnn import models
    from kcnn.evaluation import evaluate as score
    from kcnn.litert import TFLiteClassifier

    file = model_file(path)
    check_data_known(file, data)
    # A damaged file shows before the data are loaded.
    is_tflite = file.suffix == ".tflite"
    model = TFLiteClassifier(file, input_range=input_range) if is_tflite else models.load(file)
    names: tuple[str, ...] = ()
    if isinstance(model, TFLiteClassifier):
        size, names = model.input_shape, model.labels
    else:
        if input_range is not None:
            model = models.take_raw_pixels(model, input_range)
        shape = getattr(model, "input_shape", ())
        size = shape[1:] if len(shape) == 4 else None
    loaded = load_test(file, data, data_dir, size, names, skip_damaged=skip_damaged)
    evaluation = score(model, loaded.test, expected_count=loaded.num_test, tta=tta)
    if len(evaluation.per_class) != len(loaded.class_names):
        raise ValueError(
            f"{str(file)!r} predicts {len(evaluation.per_class)} classes, the data have "
            f"{len(loaded.class_names)}: it was trained on other data."
        )
    show.evaluation(evaluation, loaded.class_names)


def _print_version(wanted: bool) -> None:
    if wanted:
        import kcnn

        console.print(f"kcnn {kcnn.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Classic CNNs in Keras, from CIFAR-10 to a verified int8 model on a phone."""


app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich help costs a quarter of the start-up time
)
app.callback()(_options)
for _name, _command in {
    "run": run,
    "list": list_,
    "models": list_models,
    "lr-find": lr_find,
    "tune": tune,
    "evaluate": evaluate,
    "robustness": robustness,
    "predict": predict,
    "export": export,
    "verify": verify,
    "explain": explain,
    "explore": explore,
    "explain-check": check,
    "inspect": inspect,
    "report": report,
    "compare": compare,
}.items():
    app.command(_name)(_command)
