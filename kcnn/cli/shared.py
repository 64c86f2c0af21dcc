"""What the commands share: flags, the run that a file lies in, a quiet start of TensorFlow."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcnn.cli.console import console
from kcnn.errors import naming
from kcnn.litert.native_log import native_log

if TYPE_CHECKING:
    from kcnn.data import Data, HeldOut, Source
    from kcnn.recipe import Recipe

ImageSize = tuple[int | None, ...] | None
"""(height, width, channels) that a model takes, None where it takes any."""


def _recipes_beginning_with(incomplete: str) -> list[str]:
    """Complete the name of a recipe in the shell."""
    from kcnn.recipe_files import shipped

    return [name for name in shipped() if name.startswith(incomplete)]


DataDir = Annotated[
    str | None, typer.Option(help="Where prepared tfds data sets lie (or TFDS_DATA_DIR).")
]

RecipeName = Annotated[
    str,
    typer.Argument(
        help="A recipe's name, or a Python file with one.", autocompletion=_recipes_beginning_with
    ),
]

Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one key, e.g. train.epochs=5."),
]

DataName = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="cifar10, digits, folder:PATH, arrays:FILE.npz or a tfds name; else the run's own.",
    ),
]

InputRangeOption = Annotated[
    str | None,
    typer.Option(
        "--input-range",
        help="What the model was trained on: 0..1, -1..1, or mean,std of pixels 0-255.",
    ),
]

SkipDamaged = Annotated[
    bool,
    typer.Option("--skip-damaged", help="Leave out images of a folder that cannot be read."),
]

LayerName = Annotated[str | None, typer.Option(help="A layer's name; else the last map.")]

Method = Annotated[
    str, typer.Option(help="gradcam, gradcam++, hirescam, layercam, scorecam or cam.")
]


def start_backend() -> None:
    """Import Keras and its backend (KERAS_BACKEND, or keras.json) without their log lines."""
    with _quiet():
        import keras
    if keras.config.backend() == "tensorflow":
        start_tensorflow()


def start_tensorflow() -> None:
    """Import TensorFlow and find its devices, without the dozen lines that it logs."""
    with _quiet():
        import tensorflow as tf

        tf.config.list_physical_devices()


def _quiet() -> AbstractContextManager:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before the import
    return native_log()


def model_file(path: Path) -> Path:
    """Return the model file at a path, in a run's folder, or published under a name."""
    from kcnn.model_places import find_model
    from kcnn.run_digests import check_unchanged
    from kcnn.run_dir import RunDir

    file = find_model(path)
    if file != path and file == RunDir(path).best:
        said = f"{path} is not trained to its end: {file.name} is its best model so far"
        console.print(said, markup=False)
    check_unchanged(file)
    return file


def check_new(file: Path | None, option: str) -> None:
    """Refuse an existing file, which `option` would overwrite."""
    if file is not None and file.exists():
        raise ValueError(f"{str(file)!r} exists: name another file with {option}.")


def check_pictures(files: dict[str, Path | None]) -> None:
    """Refuse pictures, by option, that could not be written in the end."""
    from kcnn.pictures import check_suffix

    taken: dict[Path, str] = {}
    for option, file in files.items():
        if file is None:
            continue
        check_new(file, option)
        check_suffix(file, option)
        other = taken.setdefault(file.absolute(), option)
        if other != option:
            raise ValueError(f"{other} and {option} both name {str(file)!r}: name another file.")


def load_data(
    file: Path,
    name: str | None,
    data_dir: str | None,
    image_size: ImageSize = None,
    *,
    skip_damaged: bool = False,
) -> "Data":
    """Load the named data, or the data of the run that `file` lies in, as the run itself did.

    Classes are numbered as the run's model numbers them.
    """
    from kcnn import data
    from kcnn.data.classes import InOrderOf
    from kcnn.data.folds import validation_of

    run, names = recipe_of(file), tuple(labels_of(file))
    if name and not _is_own(name, run):
        origin = _source(name, image_size, skip_damaged=skip_damaged)
        origin = InOrderOf(origin, names) if names else origin
        return data.load(origin, batch_size=None, data_dir=data_dir)
    if run is None:
        raise _without_data(file)
    own = run.data
    origin = data.source(
        own.name,
        image_size=own.image_size,
        skip_damaged=own.skip_damaged or skip_damaged,
        groups=own.groups,
        classes=own.classes,
        per_class=None if name else own.per_class,
    )
    return data.load(
        InOrderOf(origin, names) if names else origin,
        batch_size=None if name else own.batch_size,
        validation=validation_of(own),
        seed=run.seed,
        limit=None if name else own.limit,
        data_dir=data_dir,
    )


def check_data_known(file: Path, name: str | None) -> None:
    """Refuse a file that is in no run's folder, if no data are named."""
    if not name and recipe_of(file) is None:
        raise _without_data(file)


def _without_data(file: Path) -> ValueError:
    return ValueError(f"{str(file)!r} is in no run's folder: name the data, e.g. --data cifar10.")


def load_test(  # noqa: PLR0913 - what a test set depends on
    file: Path,
    name: str | None,
    data_dir: str | None,
    image_size: ImageSize,
    class_names: Sequence[str] = (),
    *,
    skip_damaged: bool = False,
) -> "Data | HeldOut":
    """Load the test images of the named data, or of the run that `file` lies in.

    Of a folder without training images, all images are test images.

    Args:
        file: The model's file, or its bundle.
        name: The data; None for the run's own.
        data_dir: Where prepared tfds data sets lie.
        image_size: What the model takes.
        class_names: The classes that the model itself names, in its order; by default those of the
            run.
        skip_damaged: Leave out images that cannot be read.
    """
    if name is None or _is_own(name, recipe_of(file)):
        return load_data(file, name, data_dir, skip_damaged=skip_damaged)
    from kcnn.data import load_held_out

    origin = _source(name, image_size, skip_damaged=skip_damaged)
    return load_held_out(origin, class_names or labels_of(file), data_dir=data_dir)


def _is_own(name: str, run: "Recipe | None") -> bool:
    """Return whether these are the data of the run, whose split is then the run's."""
    from kcnn.data.catalogue import absolute

    return run is not None and absolute(name) == absolute(run.data.name)


def _source(name: str, image_size: ImageSize, *, skip_damaged: bool) -> "Source":
    from kcnn import data
    from kcnn.data.channels import WithChannels
    from kcnn.data.sources import has_own_size

    size = None
    is_image = image_size is not None and len(image_size) == 3
    height, width, channels = image_size if is_image and image_size else (None, None, None)
    if height is not None and width is not None and not has_own_size(name):
        size = height, width
    origin = data.source(name, image_size=size, skip_damaged=skip_damaged)
    return WithChannels(origin, channels) if channels in (1, 3) else origin


def recipe_of(file: Path) -> "Recipe | None":
    """Return the recipe of the run that `file` lies in, if it lies in one."""
    from kcnn.recipe import from_json
    from kcnn.run_digests import check_unchanged
    from kcnn.run_dir import RunDir

    recipe = RunDir.of(file).recipe
    if not recipe.is_file():
        return None
    check_unchanged(recipe)
    with naming(recipe):
        return from_json(recipe.read_text(encoding="utf-8"))


def labels_of(file: Path) -> list[str]:
    """Return the class names of the run that `file` lies in, if there are any."""
    from kcnn.run_digests import check_unchanged
    from kcnn.run_dir import RunDir

    run_dir = RunDir.of(file)
    check_unchanged(run_dir.labels)
    return list(run_dir.class_names())
