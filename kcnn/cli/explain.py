"""The command `kcnn explain`: what a model sees in photographs, and where it sees it."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcnn.cli.shared import (
    LayerName,
    Method,
    check_pictures,
    labels_of,
    model_file,
    start_tensorflow,
)
from kcnn.cli.show import console

if TYPE_CHECKING:
    import keras
    import numpy as np

    from kcnn.explain import FeatureMaps, Filters

_TOP = 5
_SHOWN = 512
_AT_ONCE = 64  # all are in memory, as large as they are shown
_ANY_SIZE = 224


def explain(
    path: Annotated[Path, typer.Argument(help="A .keras file, or a run's folder.")],
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
    """Tell the likeliest classes of images, and show where a model sees the first of them."""
    check_pictures({"--out": out, "--feature-maps": feature_maps, "--filters": filters})
    file = model_file(path)
    sizes = _sizes(images)  # A wrong name shows before TensorFlow starts.
    start_tensorflow()
    from kcnn import models
    from kcnn.explain import grad_cam

    model = models.load(file)
    photos, pixels = _photographs(model, images, sizes)
    heatmaps = grad_cam(model, pixels, layer=layer, method=method)
    probabilities = _probabilities(model, pixels)
    names = _names(file, probabilities.shape[1])
    inside = _inside(model, pixels[:1], feature_maps, filters)
    chances = zip(heatmaps.class_index, probabilities, strict=True)
    heatmaps.save(out, photos, [f"{names[told]} {row[told]:.1%}" for told, row in chances])
    for image, row in zip(images, probabilities, strict=True):
        _print_top(image, row, names)
    console.print(f"\n{out}: where layer {heatmaps.layer} sees the first of them", markup=False)
    for file, picture, shown in inside:
        picture.save(file)
        console.print(f"{file}: {shown}", markup=False)


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


def _input_shape(model: "keras.Model") -> tuple[int, int, int]:
    """Return (height, width, channels) of the images that a model takes."""
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] not in (1, 3):
        raise ValueError(
            f"Photographs need a model that takes images [N, height, width, 1 or 3]. Received: "
            f"{model.name!r} with {shape}"
        )
    return shape[1] or _ANY_SIZE, shape[2] or _ANY_SIZE, shape[3]


def _photographs(
    model: "keras.Model", images: Sequence[Path], sizes: Sequence[tuple[int, int]]
) -> "tuple[np.ndarray, np.ndarray]":
    """Return image files as they are shown, and as the model takes them; uint8."""
    import numpy as np

    from kcnn.data.images import read_image

    height, width, channels = _input_shape(model)
    shown = _shown_size(sizes, (height, width))
    photos = np.stack([read_image(image, shown) for image in images])
    return photos, _model_input(photos, (height, width), channels)


def _shown_size(sizes: Sequence[tuple[int, int]], input_size: tuple[int, int]) -> tuple[int, int]:
    """Return the size to show images at: the input's proportions, the finest image's detail."""
    height, width = input_size
    finest = max(min(rows / height, columns / width) for rows, columns in sizes)
    scale = max(1.0, min(finest, _SHOWN / max(input_size)))
    return round(scale * height), round(scale * width)


def _model_input(photos: "np.ndarray", size: tuple[int, int], channels: int) -> "np.ndarray":
    """Return photographs as a model takes them, uint8 [N, height, width, channels]."""
    import keras
    import numpy as np

    from kcnn.explain.filters import LUMA

    pixels = photos.astype("float32")
    if channels == 1:
        pixels = pixels @ LUMA[:, None]
    small = keras.ops.image.resize(pixels, size, interpolation="bilinear", antialias=True)
    return np.rint(small).astype("uint8")


def _probabilities(model: "keras.Model", pixels: "np.ndarray") -> "np.ndarray":
    """Return the probability of every class for each image, [N, classes]."""
    import numpy as np

    from kcnn.explain.heads import probabilities

    images = pixels.astype("float32")
    return np.concatenate([probabilities(model, image[None]).numpy() for image in images])


def _names(file: Path, num_classes: int) -> list[str]:
    """Return the class names of the run that the model lies in, or else their numbers."""
    names = labels_of(file)
    return names if len(names) == num_classes else [str(index) for index in range(num_classes)]


def _print_top(image: Path, probabilities: "np.ndarray", names: Sequence[str]) -> None:
    likeliest = (-probabilities).argsort(kind="stable")[:_TOP]
    longest = max(len(names[index]) for index in likeliest)
    console.print(f"{image}", markup=False)
    for index in likeliest:
        console.print(f"  {names[index]:<{longest}}  {probabilities[index]:7.2%}", markup=False)
