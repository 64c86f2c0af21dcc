"""The command `kcnn robustness`: the accuracy on darker, blurred, noisy and compressed images."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from kcnn.cli.console import console
from kcnn.cli.shared import (
    DataDir,
    DataName,
    SkipDamaged,
    check_data_known,
    load_test,
    model_file,
    recipe_of,
    start_tensorflow,
)


def robustness(  # noqa: PLR0913 - one argument a flag
    path: Annotated[
        Path, typer.Argument(help="A run's folder, .keras or .tflite file, or a published model.")
    ],
    count: Annotated[
        int | None,
        typer.Option("--images", min=1, help="How many test images, from all over the set."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
    data: DataName = None,
    data_dir: DataDir = None,
    skip_damaged: SkipDamaged = False,
) -> None:
    """Score a model on corrupted test images.

    They are brighter, have less contrast, blur, noise, JPEG artifacts or fewer pixels, at three
    severities each. Of a run, its int8 file is scored too; the folder gets robustness.json, and its
    report.html a table.
    """
    from kcnn.pipeline.robustness import variants_of
    from kcnn.report.robustness import HEADER, rows, summary

    (_, file), *_ = variants_of(path)
    file = model_file(file)
    check_data_known(file, data)
    start_tensorflow()
    from kcnn import pipeline
    from kcnn.prediction.classes import open_classifier

    model = open_classifier(file)
    size, classes = model.image_shape, model.class_names
    loaded = load_test(file, data, data_dir, size, classes, skip_damaged=skip_damaged)
    run = recipe_of(file)
    name = data or (run.data.name if run else "")
    report = pipeline.score_robustness(path, loaded, name, count=count, seed=seed)
    for variant in report.variants:
        table = Table(title=summary(variant), title_justify="left", title_style="", box=None)
        for index, title in enumerate(HEADER):
            table.add_column(title, justify="right" if index else "left")
        for row in rows(variant):
            table.add_row(*row)
        console.print(table)
    console.print(f"\n{report.count:,} test images of {report.dataset}")
