"""The command `kcnn explain`: what a model sees in photographs, and where it sees it."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcnn.cli.shared import labels_of, model_file, start_tensorflow
from kcnn.cli.show import console
from kcnn.errors import unknown

if TYPE_CHECKING:
    import keras
    import numpy as np

    from kcnn.explain import FeatureMaps, Filters, Heatmaps

_TOP = 5
_SHOWN = 512
_ANY_SIZE = 224


def explain(
    path: Annotated[Path, typer.Argument(help="A .keras file, or a run's folder.")],
    images: Annotated[list[Path], typer.Argument(help="Image files of any size.")],
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("grad_cam.png"),
    layer: Annotated[str | None, typer.Option(help="A layer's name; else the last map.")] = None,
    method: Annotated[
        str, typer.Option(help="gradcam, gradcam++, hirescam, layercam, scorecam or cam.")
    ] = "gradcam",
    feature_maps: Annotated[
        Path | None, typer.Option(help="Also draw what each stage sees in the first image.")
    ] = None,
    filters: Annotated[
        Path | None, typer.Option(help="Also draw the first convolution's filters.")
    ] = None,
) -> None:
    """Tell the likeliest classes of images, and show where a model sees the first of them."""
    _check_pictures({"--out": out, "--feature-maps": feature_maps, "--filters": filters})
    warnings.filterwarnings("ignore", module="PIL")  # What matters, `read_image` says in one line.
    from kcnn.data.images import read_image, read_size

    file = model_file(path)
    sizes = [read_size(image) for image in images]  # A wrong name shows before TensorFlow starts.
    start_tensorflow()
    import numpy as np

    from kcnn import models
    from kcnn.explain import grad_cam

    model = models.load(file)
    height, width, channels = _input_shape(model)
    shown = _shown_size(sizes, (height, width))
    photos = np.stack([read_image(image, shown) for image in images])
    pixels = _model_input(photos, (height, width), channels)
    heatmaps = grad_cam(model, pixels, layer=layer, method=method)
    probabilities = _probabilities(model, pixels, heatmaps)
    names = labels_of(file)
    if len(names) != probabilities.shape[1]:
        names = [str(index) for index in range(probabilities.shape[1])]
    chances = zip(heatmaps.class_index, probabilities, strict=True)
    titles = [f"{names[told]} {row[told]:.1%}" for told, row in chances]
    inside = _inside(model, pixels[:1], feature_maps, filters)
    heatmaps.save(out, photos, titles)
    for image, row in zip(images, probabilities, strict=True):
        _print_top(image, row, names)
    console.print(f"\n{out}: where layer {heatmaps.layer} sees the first of them", markup=False)
    for file, picture, shown in inside:
        picture.save(file)
        console.print(f"{file}: {shown}", markup=False)


def _check_pictures(files: dict[str, Path | None]) -> None:
    """Refuse what cannot be written, before there is anything to write, by option."""
    from matplotlib.figure import Figure

    formats = Figure().canvas.get_supported_filetypes()
    taken: dict[Path, str] = {}
    for option, file in files.items():
        if file is None:
            continue
        if file.exists():
            raise ValueError(f"{str(file)!r} exists: name another file with {option}.")
        if file.suffix.lower()[1:] not in formats:
            raise unknown(f"kind of picture in {option}", file.name, (f".{f}" for f in formats))
        other = taken.setdefault(file.absolute(), option)
        if other != option:
            raise ValueError(f"{other} and {option} both name {str(file)!r}: name another file.")


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

    pixels = photos.astype("float32")
    if channels == 1:
        pixels = pixels @ np.array([[0.299], [0.587], [0.114]], "float32")  # luma of ITU-R BT.601
    small = keras.ops.image.resize(pixels, size, interpolation="bilinear", antialias=True)
    return np.rint(small).astype("uint8")


def _probabilities(
    model: "keras.Model", pixels: "np.ndarray", heatmaps: "Heatmaps"
) -> "np.ndarray":
    """Return the probability of every class for each image, [N, classes]."""
    import keras
    import numpy as np

    images = pixels.astype("float32")
    answers = [np.asarray(model(image[None], training=False), "float32")[0] for image in images]
    outputs = np.stack(answers)
    told = outputs[np.arange(len(outputs)), heatmaps.class_index]
    if not np.allclose(told, heatmaps.score, rtol=1e-4, atol=1e-5):  # squashed by the model itself
        return np.exp(outputs) if (outputs <= 0).all() else outputs
    squash = keras.ops.softmax if outputs.shape[1] > 1 else keras.ops.sigmoid
    return np.asarray(squash(outputs))


def _print_top(image: Path, probabilities: "np.ndarray", names: Sequence[str]) -> None:
    likeliest = (-probabilities).argsort(kind="stable")[:_TOP]
    longest = max(len(names[index]) for index in likeliest)
    console.print(f"{image}", markup=False)
    for index in likeliest:
        console.print(f"  {names[index]:<{longest}}  {probabilities[index]:7.2%}", markup=False)
