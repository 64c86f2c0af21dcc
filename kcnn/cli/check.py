"""The command `kcnn explain-check`: whether the heat maps of a run's model can be trusted."""

from pathlib import Path
from typing import Annotated

import typer

from kcnn.cli.console import console
from kcnn.cli.shared import (
    DataDir,
    DataName,
    LayerName,
    Method,
    SkipDamaged,
    check_pictures,
    load_test,
    model_file,
    start_tensorflow,
)


def check(  # noqa: PLR0913 - one argument a flag
    path: Annotated[
        Path, typer.Argument(help="A .keras file, a run's folder, or a published model.")
    ],
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("check.png"),
    count: Annotated[
        int, typer.Option("--images", min=2, help="How many test images, from all over the set.")
    ] = 64,
    layer: LayerName = None,
    method: Method = "gradcam",
    data: DataName = None,
    data_dir: DataDir = None,
    skip_damaged: SkipDamaged = False,
) -> None:
    """Test whether a model's heat maps can be trusted.

    The tests are deletion, insertion, random weights, planted patches and mosaics.
    """
    check_pictures({"--out": out})
    file = model_file(path)
    start_tensorflow()
    from kcnn import explain, models
    from kcnn.pipeline.samples import spread_images

    model = models.load(file)
    loaded = load_test(file, data, data_dir, model.input_shape[1:], skip_damaged=skip_damaged)
    images, labels = spread_images(loaded, count)
    found = explain.check(model, images, labels, layer=layer, method=method)
    console.print(str(found))
    found.save(out)
    console.print(f"\n{out}: the curves, and where the heat lies")
