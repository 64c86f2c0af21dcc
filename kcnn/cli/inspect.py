"""The command `kcnn inspect`: what a run, a model or an exported file holds."""

from pathlib import Path
from typing import Annotated

import typer

from kcnn.checks import check_count
from kcnn.cli import show
from kcnn.cli.console import console
from kcnn.cli.raw_pixels import of_raw_pixels
from kcnn.cli.shared import (
    DataDir,
    DataName,
    InputRangeOption,
    load_data,
    model_file,
    start_tensorflow,
)

_IMAGES = 100


def inspect(  # noqa: PLR0913 - one argument a flag
    path: Annotated[
        Path, typer.Argument(help="A run's folder, .keras or .tflite file, or a published model.")
    ],
    against: Annotated[
        Path | None,
        typer.Option(help="Compare a .tflite file, layer by layer, with the model it came from."),
    ] = None,
    images: Annotated[
        int | None, typer.Option(help="Validation images for --against; 100 if not given.")
    ] = None,
    data: DataName = None,
    data_dir: DataDir = None,
    input_range: InputRangeOption = None,
) -> None:
    """Show what a run, a model or an exported file holds.

    With --against, show which layers of a quantized file depart from the float model.
    """
    compared = {"--images": images, "--data": data, "--data-dir": data_dir}
    compared |= {"--input-range": input_range}
    for option, given in compared.items():
        if against is None and given is not None:
            raise ValueError(
                f"{option} belongs to --against MODEL: name the model, or leave it out."
            )
    if images is not None:
        check_count("--images", images)
    if against is not None and path.suffix != ".tflite":
        raise ValueError(f"--against compares a .tflite file with a model. Received: {path}.")
    if (path / "results.json").is_file():
        from kcnn.report.comparison_report import load as load_comparison

        show.comparison(load_comparison(path / "results.json"))
    elif (path / "study.json").is_file():
        from kcnn.report.study_report import load as load_study

        show.study(load_study(path / "study.json"))
    elif path.is_dir():
        _inspect_run(path)
    elif path.suffix == ".tflite":
        from kcnn.litert import read_requirements, summarize
        from kcnn.litert.layer_names import float_layers

        file = model_file(path)
        summary, content = summarize(file), file.read_bytes()
        show.tflite(summary, read_requirements(content), float_layers(content))
        if against is not None:
            _compare(file, against, images or _IMAGES, data, data_dir, input_range)
    else:
        file = model_file(path)
        start_tensorflow()
        from kcnn import models

        models.load(file).summary(print_fn=console.print)


def _compare(  # noqa: PLR0913 - the options of --against
    file: Path,
    against: Path,
    count: int,
    data: str | None,
    data_dir: str | None,
    input_range: str | None,
) -> None:
    """Print how far each layer of a `.tflite` file is from a model, on validation images."""
    source = model_file(against)
    if source.suffix == ".tflite":
        raise ValueError(f"--against takes a .keras file or a run's folder. Received: {against}.")
    start_tensorflow()
    import numpy as np

    from kcnn import models
    from kcnn.export import layer_errors
    from kcnn.export.checks import check_model

    model = models.load(source)
    image_shape, _ = check_model(model, any_rank=True)
    model, said = of_raw_pixels(model, source, input_range)
    loaded = load_data(source, data, data_dir, image_shape)
    batches = loaded.validation.unbatch().take(count).batch(count).as_numpy_iterator()
    images = np.concatenate([images for images, _ in batches])
    show.layer_errors(layer_errors(file, model, images, input_range=said))


def _inspect_run(folder: Path) -> None:
    """Print the receipts of a run, or what of an unfinished one is done."""
    from kcnn.report.receipts import load
    from kcnn.report.unfinished import progress_lines
    from kcnn.run_digests import check_unchanged, read_journal
    from kcnn.run_dir import RunDir

    run_dir = RunDir(folder)
    journal = read_journal(run_dir)
    if journal and not journal["finished"]:
        for line in progress_lines(run_dir, journal):
            console.print(line, markup=False, soft_wrap=True)
    check_unchanged(run_dir.report)
    if run_dir.report.is_file() or journal is None:
        show.receipts(load(run_dir.report))
