"""The command `kcnn explain`: which classes a model sees in photographs, and where."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcnn.cli.console import console
from kcnn.cli.shared import (
    LayerName,
    Method,
    check_pictures,
    labels_of,
    model_file,
    start_tensorflow,
)

if TYPE_CHECKING:
    import keras
    import numpy as np

    from kcnn.explain import FeatureMaps, Filters, Heatmaps
    from kcnn.prediction import Predictions

_AT_ONCE = 64  # all are in memory, as large as they are shown


def explain(
    path: Annotated[
        Path, typer.Argument(help="A .keras file, a run's folder, or a published model.")
    ],
    images: Annotated[list[Path], typer.Argument(help="Image files of any size.")],
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("grad_cam.png"),
    layer: LayerName = None,
    method: Method = "gradcam",
    feature_maps: Annotated[
        Path | None, typer.Option(help="Also draw what each stage sees in the first image.")
    ] = None,
    filters: Annotated[
        Path | None, typer.Option(help="Also draw the first convolution's filters.")
    ] = None,
) -> None:
    """Classify images, and show where the model sees the class.

    The five most likely classes of each image are printed; the picture shows the first of them.
    """
    check_pictures({"--out": out, "--feature-maps": feature_maps, "--filters": filters})
    file = model_file(path)
    sizes = _sizes(images)  # A wrong name shows before TensorFlow starts.
    start_tensorflow()
    from kcnn import models
    from kcnn.explain import grad_cam
    from kcnn.prediction import predict

    model = models.load(file)
    predictions, names = predict(model, images), labels_of(file)
    if len(names) == predictions.probabilities.shape[1]:  # else the folder's are of another model
        predictions = replace(predictions, class_names=tuple(names))
    heatmaps = grad_cam(model, predictions.images, layer=layer, method=method)
    inside = _inside(model, predictions.images[:1], feature_maps, filters)
    heatmaps.save(out, _shown(model, images, sizes), _titles(heatmaps, predictions))
    console.print(str(predictions))
    console.print(f"\n{out}: where layer {heatmaps.layer} sees the first of them")
    for file, picture, shown in inside:
        picture.save(file)
        console.print(f"{file}: {shown}")


def _sizes(images: Sequence[Path]) -> list[tuple[int, int]]:
    """Return (height, width) of each image file, if there are not too many of them."""
    if len(images) > _AT_ONCE:
        raise ValueError(f"Expected at most {_AT_ONCE} images at once. Received: {len(images)}.")
    warnings.filterwarnings("ignore", module="PIL")  # What matters, `read_image` says in one line.
    from kcnn.data.images import read_size

    return [read_size(image) for image in images]


def _inside(
    model: "keras.Model", pixels: "np.ndarray", feature_maps: Path | None, filters: Path | None
) -> "list[tuple[Path, FeatureMaps | Filters, str]]":
    """Return the files asked for with what to save in them, and what that shows."""
    from kcnn import explain as room

    found = []
    if feature_maps:
        seen = room.feature_maps(model, pixels)
        found.append((feature_maps, seen, f"what layers {', '.join(seen)} see in the first image"))
    if filters:
        sought = room.filters(model)
        found.append((filters, sought, f"the filters of layer {sought.layer}"))
    return found


def _shown(
    model: "keras.Model", images: Sequence[Path], sizes: Sequence[tuple[int, int]]
) -> "np.ndarray":
    """Return image files in the detail to show them in, uint8 [N, H, W, 3]."""
    import numpy as np

    from kcnn.data.images import read_image
    from kcnn.prediction.photographs import photograph_shape, shown_size

    height, width, _ = photograph_shape(model.input_shape[1:], model.name)
    size = shown_size(sizes, (height, width))
    return np.stack([read_image(image, size) for image in images])


def _titles(heatmaps: "Heatmaps", predictions: "Predictions") -> list[str]:
    """Return the name and probability of each class that a heat map explains."""
    rows = zip(heatmaps.class_index, predictions.probabilities, strict=True)
    return [f"{predictions.class_names[index]} {row[index]:.1%}" for index, row in rows]
