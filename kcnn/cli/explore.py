"""The command `kcnn explore`: a page in which a network comes alive."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcnn.cli.console import console
from kcnn.cli.shared import (
    DataDir,
    DataName,
    check_new,
    load_data,
    load_test,
    model_file,
    recipe_of,
    start_tensorflow,
)

if TYPE_CHECKING:
    import numpy as np

    from kcnn.data import Data, HeldOut
    from kcnn.explore import Networks

_AT_ONCE = 64  # images
_SAMPLES, _LOOKED_AT = 8, 500  # test images on the page, and those that they are chosen from


def explore(
    path: Annotated[Path, typer.Argument(help="A run's folder, a .keras or a .tflite file.")],
    images: Annotated[
        list[Path] | None, typer.Argument(help="Image files of any size; else test images.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("explore.html"),
    data: DataName = None,
    data_dir: DataDir = None,
    install: Annotated[
        bool, typer.Option("--install", help="First install LiteRT.js, with npm.")
    ] = False,
) -> None:
    """Write a page that shows a network at work, layer by layer.

    The page is one file and works offline. It classifies pictures and what the camera sees, with a
    heat map, and shows float and int8 side by side.
    """
    check_new(out, "--out")
    if out.suffix != ".html":
        raise ValueError(f"--out must name an .html file. Received: {str(out)!r}.")
    files = _files(images or [])
    file = model_file(path)  # A wrong name shows before TensorFlow starts.
    start_tensorflow()
    from kcnn.data import Data
    from kcnn.explore import find_networks, write_page
    from kcnn.runtimes.installation import litert_js

    if install:
        _install()
    litert_js()  # If it is missing, that shows before the model is read.
    networks = find_networks(path)
    loaded = None
    if files and data and "int8" in networks.files:
        raise ValueError(
            "--data is for test images, and for training images that make the int8 form. You name "
            "image files, and the model has an int8 form: leave --data out."
        )
    if not files or "int8" not in networks.files:
        loaded = _load(file, data, data_dir, networks)
    if isinstance(loaded, Data) and "int8" not in networks.files:
        networks = find_networks(path, calibration=loaded.calibration)
    pictures = _photographs(files, networks) if files else _test_images(loaded, networks)
    written = write_page(networks, out, pictures)
    _say(written, networks, len(pictures))


def _install() -> None:
    from kcnn import runtimes

    for line in runtimes.install(["litert-js"]):
        console.print(f"installed {line}")


def _files(images: Sequence[Path]) -> list[str]:
    from kcnn.prediction import find_files

    files = find_files(images)
    warnings.filterwarnings("ignore", module="PIL")  # What matters, `read_size` says in one line.
    from kcnn.data.images import read_size

    for file in files[:_AT_ONCE]:  # A broken one shows before TensorFlow starts.
        read_size(file)
    if len(files) > _AT_ONCE:
        raise ValueError(f"Expected at most {_AT_ONCE} images at once. Received: {len(files)}.")
    return files


def _load(
    file: Path, name: str | None, data_dir: str | None, networks: "Networks"
) -> "Data | HeldOut | None":
    """Load the named data or the run's own, if nothing has to be downloaded for the latter."""
    if name is None and not _is_at_hand(file, data_dir):
        return None
    size = networks.image_shape
    if "int8" in networks.files:
        return load_test(file, name, data_dir, size, networks.labels)
    return load_data(file, name, data_dir, size)


def _is_at_hand(file: Path, data_dir: str | None) -> bool:
    run = recipe_of(file)
    if run is None:
        return False
    name, _, rest = run.data.name.partition(":")
    if name in ("folder", "arrays"):
        return Path(rest).exists()
    folder = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return name == "digits" or (Path(folder).expanduser() / name.partition("/")[0]).is_dir()


def _test_images(loaded: "Data | HeldOut | None", networks: "Networks") -> "dict[str, np.ndarray]":
    """Return the first test image of each of some classes, by the name of the class."""
    found: dict[str, np.ndarray] = {}
    if loaded is not None:
        for image, label in loaded.test.unbatch().take(_LOOKED_AT).as_numpy_iterator():
            found.setdefault(loaded.class_names[int(label)], image)
            if len(found) == min(_SAMPLES, len(networks.labels)):
                break
    return found


def _photographs(files: Sequence[str], networks: "Networks") -> "dict[str, np.ndarray]":
    from kcnn.prediction.photographs import photograph_shape, read_photographs

    pixels = read_photographs(files, photograph_shape(networks.image_shape, networks.title))
    names = [Path(file).name for file in files]
    names = names if len(set(names)) == len(names) else files
    return dict(zip(names, pixels, strict=True))


def _say(page: Path, networks: "Networks", pictures: int) -> None:
    forms = " and ".join(networks.files)
    size = page.stat().st_size / 1e6
    count = f"{pictures} picture{'' if pictures == 1 else 's'}"
    console.print(f"{page}: {forms}, {count} and 3 drawings, {size:.1f} MB", markup=False)
    if not pictures:
        console.print("Drawings alone: name image files, or the data of test images with --data.")
    if networks.saved == "half":
        console.print("The float weights are float16 in the page, because the network is large.")
    if networks.saved == "int8":
        console.print("The float form is left out, because the network is so large.")
    elif len(networks.files) == 1:
        other = "int8" if "float" in networks.files else "float"
        console.print(f"No {other} form is shown: there is no file of it beside the model.")
