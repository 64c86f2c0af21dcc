"""Augmentations from outside the package, and lists of operations, on both backends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import kcnn
from kcnn.data import AUGMENTATIONS, OPERATIONS, JaxData, augment, jax_augment, load, load_arrays
from kcnn.data.augment import augmentation
from kcnn.recipe import Data, Recipe, from_json, override, to_json

MODULE = """
def invert(images, seed):
    return 255 - images

def halve(images, seed):
    return images / 2

level = 3
"""


def inverted(images, seed):
    return 255 - images


def noisy(images, seed):
    noise = tf.random.stateless_uniform(tf.shape(images), seed, 0, 256, tf.int32)
    return tf.cast(noise, tf.uint8)


def noisy_in_jax(images, key):
    import jax

    return jax.random.randint(key, images.shape, 0, 256).astype("uint8")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with a module of the user's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_images.py").write_text(MODULE)
    yield tmp_path
    sys.modules.pop("own_images", None)


def taken(data, epoch=0, step=0, count=3):
    return list(data.batches(epoch, step).take(count).as_numpy_iterator())


def assert_equal(first, second):
    for ours, theirs in zip(first, second, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def digits(augment, **options):
    return load("digits", augment=augment, batch_size=32, limit=200, **options)


# TensorFlow


@pytest.mark.parametrize("own", [inverted, "own_images:invert", [inverted], ["own_images:invert"]])
def test_a_function_from_outside_changes_the_images(here, own):
    plain = [(255 - images, labels) for images, labels in taken(digits("none"))]
    assert_equal(taken(digits(own)), plain)


def test_operations_follow_each_other_in_their_order():
    holes_last, holes_first = (
        np.concatenate([images for images, _ in taken(digits(augment))])
        for augment in (("shift", inverted, "cutout"), ("shift", "cutout", inverted))
    )
    shifted = np.concatenate([images for images, _ in taken(digits("shift"))])
    changed = (holes_last != 255 - shifted).any(axis=-1)
    assert changed.any(axis=(1, 2)).all()
    assert (holes_last[changed] == 0).all() and (holes_first[changed] == 255).all()


def test_a_named_augmentation_in_a_list_is_its_operations():
    assert_equal(taken(digits(["standard", "cutmix"])), taken(digits("cutmix")))
    strong = np.concatenate([images for images, _ in taken(digits("strong"))])
    holed = np.concatenate([images for images, _ in taken(digits(("strong", "cutout")))])
    hole = (strong != holed).any(axis=-1)
    assert hole.any() and (holed[hole] == 0).all()


def test_an_operation_that_stands_twice_draws_twice():
    images = tf.fill([64, 32, 32, 1], tf.constant(9, tf.uint8))
    seed, turned = tf.constant([1, 0], tf.int64), tf.zeros(64, tf.bool)
    black = [
        (augmentation(["cutout"] * count)(images, seed, turned).numpy() == 0).mean()
        for count in (1, 2)
    ]
    assert black[1] > 1.3 * black[0]


def test_mirror_alone_moves_nothing_but_the_sides():
    images = np.random.default_rng(0).integers(0, 256, (200, 6, 5, 3), np.uint8)
    seed, turned = tf.constant([1, 0], tf.int64), tf.zeros(200, tf.bool)
    changed = augmentation(["mirror"])(tf.constant(images), seed, turned).numpy()
    mirrored = (changed == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (mirrored | (changed == images).all(axis=(1, 2, 3))).all()
    assert 70 < mirrored.sum() < 130


def test_what_a_function_draws_follows_from_seed_epoch_and_step():
    data = digits(noisy)
    steps = data.steps_per_epoch
    first, images = taken(data, 1, 2, 4), [batch[0] for batch in taken(data, count=2 * steps)]
    assert_equal(first, taken(digits(noisy), 0, steps + 2, 4))
    assert_equal(first, taken(data, 1, 0, 6)[2:])
    assert len({batch.tobytes() for batch in images}) == 2 * steps
    assert (taken(digits(noisy, seed=1))[0][0] != images[0]).any()
    twice = taken(digits([noisy, lambda images, seed: images ^ noisy(images, seed)]))[0][0]
    assert len(np.unique(twice)) > 100  # else both drew the same, and all is 0


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ("standart", "Unknown augmentation 'standart'. Did you mean 'standard'"),
        (["none", "mirror"], "'none' means nothing beside others: leave it out"),
        (["strong", "cutuot"], "Unknown operation 'cutuot'. Did you mean 'cutout'"),
        (("cutmix", "shift"), r"Operation 'cutmix' mixes whole images .* must be the last one"),
        (("mixup", "cutmix"), "Operation 'mixup' mixes whole images"),
        (3, r"augment must be a name, a function, .*Received: 3"),
        (["shift", 3], r"In a list, augment takes names, functions .*Received: 3"),
        ("own_nowhere:f", "Own augmentation 'own_nowhere:f': there is no module 'own_nowhere'"),
        ("own_images:invrt", "has no 'invrt'. Did you mean 'invert'"),
        ("own_images:level", "Own augmentation 'own_images:level' must be a function. Received: 3"),
        (lambda images, seed: tf.cast(images, tf.float32), r"uint8 \(32, 32.*Received: float32"),
        (lambda images, seed: images[:, 1:], r"Received: uint8 \(32, 31, 32, 3\)"),
        (lambda images, seed: images[1:], r"Received: uint8 \(31, 32, 32, 3\)"),
        (lambda images, seed: None, "must return a tensor like its images.* Received: NoneType"),
    ],
)
def test_what_is_no_augmentation_is_refused_in_one_line(here, augment, message):
    with pytest.raises(ValueError, match=message) as error:
        digits(augment)
    assert "\n" not in str(error.value)


def test_a_function_of_numpy_keeps_its_shape():
    def change(images, seed):
        return tf.numpy_function(lambda pixels: 255 - pixels, [images], tf.uint8)

    assert digits(change).train.element_spec[0].shape == (32, 32, 32, 3)


# JAX


def test_a_function_may_decide_by_its_images():
    def bright_only(images, seed):
        if tf.reduce_mean(tf.cast(images, tf.float32)) > 500:  # never
            images = 255 - images
        for _ in tf.range(2):
            images = 255 - images
        return images

    assert_equal(taken(digits(bright_only)), taken(digits("none")))


def test_the_table_says_where_each_operation_runs():
    for name, operation in OPERATIONS.items():
        in_tensorflow = name in augment._OPERATIONS or operation.mixes
        in_jax = name in jax_augment._OPERATIONS or operation.mixes
        assert ("tensorflow" in operation.backends, "jax" in operation.backends) == (
            in_tensorflow,
            in_jax,
        )
    for names in AUGMENTATIONS.values():
        assert set(names) <= set(OPERATIONS)


def in_jax(augment, images, key=0, labels=None):
    jax = pytest.importorskip("jax")
    labels = np.arange(len(images)) % 3 if labels is None else labels
    change = jax_augment.augmentation(augment, mirror=True, num_classes=3)
    changed, targets = change(images, labels, jax.random.key(key), np.zeros(len(images), bool))
    return np.asarray(changed), np.asarray(targets)


def test_functions_and_lists_run_in_jax_too(here):
    images = np.full((40, 32, 32, 3), 9, np.uint8)
    shifted, _ = in_jax("shift", images)
    holed, _ = in_jax(("shift", "own_images:invert", "cutout"), images)
    hole = (holed != 255 - shifted).any(axis=-1)
    assert hole.any(axis=(1, 2)).all() and (holed[hole] == 0).all()
    mixed = [in_jax(augment, images) for augment in (["standard", "cutmix"], "cutmix")]
    assert_equal(mixed[:1], mixed[1:])
    first, again, other = (in_jax([noisy_in_jax], images, key)[0] for key in (0, 0, 1))
    assert (first == again).all() and (first != other).any()
    black = [(in_jax(["cutout"] * count, images)[0] == 0).mean() for count in (1, 2)]
    assert black[1] > 1.3 * black[0]


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ("strong", "Augmentation 'strong' runs on tensorflow only: jax has no .*'rotate_color'"),
        (("strong", "cutout"), r"\('strong', 'cutout'\) runs on tensorflow only"),
        ("own_images:level", "must be a function. Received: 3"),
        (lambda images, key: images / 255, r"uint8 \(32, 32, 32, 3\). Received: float"),
        (lambda images, key: images[:, 1:], r"Received: uint8 \(32, 31, 32, 3\)"),
        (lambda images, key: None, "must return an array like its images.* Received: NoneType"),
    ],
)
def test_what_jax_cannot_do_is_refused_in_one_line(here, augment, message):
    pytest.importorskip("jax")
    with pytest.raises(ValueError, match=message) as error:
        JaxData(load_arrays("digits", limit=200), 32, augment)
    assert "\n" not in str(error.value)


def test_jax_data_take_a_function():
    pytest.importorskip("jax")
    assert JaxData(load_arrays("digits", limit=200), 32, [noisy_in_jax, "cutout"]).augment


# Recipes


def test_a_recipe_holds_names_and_places():
    recipe = Recipe(data=Data(augment=("strong", "own_images:invert")))
    assert from_json(to_json(recipe)) == recipe
    assert json.loads(to_json(recipe))["data"]["augment"] == ["strong", "own_images:invert"]
    changed = override(Recipe(), ['data.augment=["strong", "cutout"]'])
    assert changed.data.augment == ("strong", "cutout")
    for unfit in (inverted, [inverted], None):
        with pytest.raises(ValueError, match="'module:function'.* Received: "):
            Recipe(data=Data(augment=unfit))


def test_the_command_line_finds_a_module_beside_the_recipe(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "own_images.py").write_text(MODULE)
    (folder / "own_recipe.py").write_text(
        "from own_images import level\n"
        "from kcnn.recipe import Data, Recipe\n"
        "data = Data(name='digits', augment=['own_images:halve'], limit=10 * level)\n"
        "recipe = Recipe(data=data)\n"
    )
    # As in a console script, the current folder is not on Python's path.
    code = "import sys; sys.path.remove(''); from kcnn.cli import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, "run", "project/own_recipe.py", "--set", "data.batch_size=8"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(kcnn.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Own augmentation 'own_images:halve' must return" in run.stderr, run.stderr[-2000:]
