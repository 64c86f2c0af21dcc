"""The command `kcnn explain-check`: whether the heat maps of a run's model can be trusted."""

from pathlib import Path
from typing import Annotated

import typer

from kcnn.cli.shared import DataDir, load_data, model_file, start_tensorflow
from kcnn.cli.show import console


def check(
    path: Annotated[Path, typer.Argument(help="A .keras file, or a run's folder.")],
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("check.png"),
    count: Annotated[int, typer.Option("--images", min=2, help="How many test images.")] = 64,
    layer: Annotated[str | None, typer.Option(help="A layer's name; else the last map.")] = None,
    method: Annotated[
        str, typer.Option(help="gradcam, gradcam++, hirescam, layercam, scorecam or cam.")
    ] = "gradcam",
    data: Annotated[
        str | None,
        typer.Option(help="cifar10, digits, folder:PATH or a tfds name; else the run's own."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Test a model's heat maps: deletion, insertion, random weights, planted patches, mosaics."""
    if out.exists():
        raise ValueError(f"{str(out)!r} exists: name another file with --out.")
    file = model_file(path)
    start_tensorflow()
    import numpy as np

    from kcnn import explain, models

    model = models.load(file)
    loaded = load_data(file, data, data_dir, model.input_shape[1:3])
    batches = loaded.test.unbatch().take(count).batch(count)
    images, labels = (np.asarray(part) for part in next(iter(batches)))
    found = explain.check(model, images, labels, layer=layer, method=method)
    found.save(out)
    console.print(str(found), markup=False)
    console.print(f"\n{out}: the curves, and where the heat lies", markup=False)
