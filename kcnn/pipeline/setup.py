"""Makes what a recipe begins with: data and model."""

import dataclasses
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from kcnn import data as data_room
from kcnn import models
from kcnn.comparison import Comparison
from kcnn.data.catalogue import absolute
from kcnn.data.folds import validation_of
from kcnn.data.jax_data import JaxData
from kcnn.data.opened import Source
from kcnn.data.sources import source
from kcnn.model_places import PLACES, published_manifest, published_names, trained_in
from kcnn.models.files import in_float32
from kcnn.models.fits import check_fit
from kcnn.models.whitening import WHITENING
from kcnn.pipeline.backend import on_jax
from kcnn.pipeline.borrowed import borrow, is_borrowed
from kcnn.recipe import Data as DataSection
from kcnn.recipe import Recipe
from kcnn.recipe_files import shipped
from kcnn.run_digests import check_unchanged
from kcnn.run_dir import RunDir

if TYPE_CHECKING:
    from kcnn.data import Data

_WHITENED = 5000  # training images for the whitening layer, as in its paper

logger = logging.getLogger("kcnn")


def load(recipe: Recipe, data_dir: str | None) -> "Data | JaxData":
    """Return the recipe's data for Keras's backend, split and augmented as the recipe says."""
    return load_for_jax(recipe, data_dir) if on_jax() else load_for_tensorflow(recipe, data_dir)


def load_for_tensorflow(recipe: Recipe, data_dir: str | None) -> "Data":
    """Return the recipe's data as `tf.data.Dataset`, for TensorFlow."""
    section = recipe.data
    return data_room.load(
        _source(section),
        batch_size=section.batch_size,
        augment=section.augment,
        sampling=section.sampling,
        validation=validation_of(section),
        seed=recipe.seed,
        limit=section.limit,
        data_dir=data_dir,
    )


def load_variants(
    comparison: Comparison, data_dir: str | None
) -> "Iterator[tuple[str, Recipe, Data]]":
    """Yield the name, the recipe and the data of each variant; equal data are loaded once.

    Raises:
        ValueError: The data of a variant cannot be used; it is named.
    """
    loaded: list[tuple[DataSection, Data]] = []
    for name, recipe in comparison.variants.items():
        data = next((data for section, data in loaded if section == recipe.data), None)
        if data is None:
            try:
                data = load_for_tensorflow(recipe, data_dir)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            loaded.append((recipe.data, data))
        yield name, recipe, data


def load_for_jax(recipe: Recipe, data_dir: str | None) -> JaxData:
    """Return the same images in the same splits for JAX: as arrays, or read if they are large."""
    section = recipe.data
    arrays = data_room.load_streams(
        _source(section),
        validation=validation_of(section),
        seed=recipe.seed,
        limit=section.limit,
        data_dir=data_dir,
    )
    return JaxData(arrays, section.batch_size, section.augment, recipe.seed, section.sampling)


def _source(section: DataSection) -> Source:
    return source(
        section.name,
        image_size=section.image_size,
        skip_damaged=section.skip_damaged,
        groups=section.groups,
        classes=section.classes,
        per_class=section.per_class,
    )


def with_absolute_data(recipe: Recipe) -> Recipe:
    """Return the recipe with absolute paths to its images, so that a run finds them again."""
    section = recipe.data
    groups = section.groups and os.path.abspath(os.path.expanduser(section.groups))
    section = dataclasses.replace(section, name=absolute(section.name), groups=groups)
    return dataclasses.replace(recipe, data=section)


def _of_size(base: keras.Model, shape: tuple[int, ...]) -> keras.Model:
    """Return a base for images of this shape, also of one for any size, which has no fixed maps."""
    if not getattr(base, "inputs", None) or None not in base.inputs[0].shape[1:]:
        return base
    image = keras.Input(shape)
    return keras.Model(image, base(image), name=base.name)


def build(recipe: Recipe, data: "Data | JaxData") -> keras.Model:
    """Return the recipe's model for the shape and the classes of `data`, new or pretrained.

    Where the recipe leaves the precision open ("auto"), the model is a float32 one.

    Raises:
        ValueError: There is no such model, or it does not fit the data.
    """
    if recipe.trained:
        model = pretrained(recipe.trained, purpose="model")
        check_fit(model, data.image_shape, len(data.class_names))
        _check_name(recipe, "trained", recipe.trained, model)
        return model
    if recipe.transfer:
        name = recipe.transfer.base
        borrowed = is_borrowed(name)
        base = borrow(name, data.image_shape) if borrowed else pretrained(name, purpose="base")
        check_fit(base, data.image_shape, None, called="base")
        _check_name(recipe, "transfer.base", name, base)
        # Built with the end trainable first, so that a wrong layer name is refused right here.
        end = recipe.transfer.trainable_from
        base = _of_size(base, data.image_shape)
        model = models.transfer(base, len(data.class_names), trainable_from=end)
        models.fine_tune_from(model, "logits")
        return model
    known = {"input_shape": data.image_shape, "num_classes": len(data.class_names)}
    if clash := known.keys() & recipe.model.options.keys():
        raise ValueError(f"model.options.{min(clash)} cannot be set: it follows from the data.")
    precision = recipe.train.precision
    with _layers_in("float32" if precision == "auto" else precision):
        model = models.build(recipe.model.builder, **recipe.model.options, **known)
    if any(layer.name == WHITENING for layer in model.layers):
        models.whiten(model, _images(data, _WHITENED))
    elif recipe.train.whitening_epochs:
        raise ValueError(
            "train.whitening_epochs is for networks with a whitening layer, such as speed_net. "
            f"Received: model.name={recipe.model.builder!r}"
        )
    logger.info("model: %s, %d parameters", recipe.model.builder, model.count_params())
    return model


def _check_name(recipe: Recipe, field: str, place: str, model: keras.Model) -> None:
    """Refuse a name beside a pretrained network that is called something else."""
    if recipe.model.name not in (None, model.name):
        raise ValueError(
            f"{field}={place!r} is a network called {model.name!r}, which model.name does not "
            f"change: leave model.name out. Received: model.name={recipe.model.name!r}"
        )


def pretrained(name: str, *, purpose: str) -> keras.Model:
    """Return the trained model of a run or a `.keras` file, or a published one, in float32.

    Raises:
        ValueError: There is none; the message names its purpose.
    """
    model = models.load(pretrained_file(name, purpose=purpose))
    return in_float32(model)  # a checkpoint has the precision of its training


def pretrained_file(name: str, *, purpose: str) -> Path:
    """Return the file of a trained model: of a run, a `.keras` file, or what is published.

    What lies in the current folder comes first, then what is published, so that a recipe which
    names a published model runs from any folder.

    Raises:
        ValueError: There is none; the message names its purpose.
    """
    path = _find(Path(name).expanduser())
    file = (trained_in(path) or RunDir(path).model) if path.is_dir() else path
    if not file.is_file():
        recipe = Path(name).name if Path(name).name in shipped() else "resnet20"
        raise ValueError(
            f"There is no trained model {str(file)!r} to be the {purpose}: train one first, e.g. "
            f"with `kcnn run {recipe} --out {name}`, or name another run's folder, a .keras file, "
            f"or a published model: {', '.join(published_names())}."
        )
    check_unchanged(file)
    return file


def _find(path: Path) -> Path:
    """Return a path in the current folder, or else what is published under it."""
    if path.exists():
        return path
    if manifest := published_manifest(path):
        return manifest
    beside = PLACES[-1].parent / path  # in a checkout, any file of a published run
    if not beside.exists():
        return path
    logger.info("%s: read from %s", path, beside)
    return beside


def _images(data: "Data | JaxData", count: int) -> np.ndarray:
    """Return `count` training images, or all if there are fewer, not augmented."""
    if isinstance(data, JaxData):
        train = data.arrays.train
        return train.read(np.random.default_rng(data.seed).permutation(len(train))[:count])
    batches = data.calibration.unbatch().take(count).batch(count).as_numpy_iterator()
    return next(batches)[0]


@contextmanager
def _layers_in(policy: str) -> Iterator[None]:
    """Build layers inside the `with` block in this precision; restore Keras's policy after it."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
