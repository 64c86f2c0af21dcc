"""Training on the JAX backend, without TensorFlow: the same numbers, the same files."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from jax_process import small_network, trained_in_whole_batches

import kcnn
from kcnn import models
from kcnn.compress import cluster, prune
from kcnn.data import JaxData, load_arrays
from kcnn.report.receipts import load as load_report
from kcnn.training import make_optimizer
from tests.mask_steps import network, zeros
from tests.muon_steps import trained

jax = pytest.importorskip("jax")

ROOT = Path(kcnn.__file__).parents[1]


def noise(count=6, size=(12, 16)):
    return np.random.default_rng(0).integers(1, 256, (count, *size, 3), np.uint8)


# The augmentation


def test_a_crop_is_a_window_of_the_bordered_image_mirrored_or_not():
    from kcnn.data.jax_augment import crop

    images = noise()
    top, left = np.array([0, 8, 4, 3, 1, 7]), np.array([8, 0, 4, 5, 2, 6])
    mirrored = np.array([False, True, False, True, False, True])
    for border, reflect in ((4, False), (2, True)):
        sides, mode = [(0, 0), (border, border), (border, border), (0, 0)], "reflect"
        padded = np.pad(images, sides, mode if reflect else "constant")
        rows, columns = top * border // 4, left * border // 4
        received = np.asarray(crop(images, rows, columns, mirrored, border=border, reflect=reflect))
        assert received.dtype == np.uint8
        for number, row, column in zip(range(6), rows, columns, strict=True):
            window = padded[number, row : row + 12, column : column + 16]
            expected = window[:, ::-1] if mirrored[number] else window
            np.testing.assert_array_equal(received[number], expected)


def test_zoom_and_resized_crop_are_those_of_tensorflow():
    from kcnn.data import jax_pixels, pixels

    images = noise()
    random = np.random.default_rng(0)
    seen = random.uniform(3, 12, (2, 6)).astype("float32")
    start = (random.uniform(0, 1, (2, 6)) * ([[12], [16]] - seen)).astype("float32")
    expected = pixels.resample(images.astype("float32"), start, seen, fill_mode="NEAREST")
    received = np.asarray(jax_pixels.resample(images, start, seen))
    np.testing.assert_allclose(received, np.rint(expected), atol=1)
    smaller = np.array([[15.0], [20.0]], "float32").repeat(6, axis=1)  # zoomed out, on black
    around = (np.array([[12.0], [16.0]], "float32") - smaller) / 2
    received = np.asarray(jax_pixels.resample(images, around, smaller))
    expected = pixels.resample(images.astype("float32"), around, smaller, fill_mode="CONSTANT")
    inside = (slice(None), slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(received[inside], np.rint(expected)[inside], atol=1)
    assert not received[:, 0].any() and not received[:, :, -1].any()


@pytest.mark.parametrize("name", ["zoom", "resized_crop"])
def test_zoom_and_resized_crop_draw_for_every_image(name):
    from kcnn.data.jax_augment import augmentation

    images = np.repeat(noise(1), 8, axis=0)
    change = augmentation(name, mirror=True, num_classes=2)
    changed = np.asarray(change(images, np.zeros(8, int), jax.random.key(0), np.zeros(8, bool))[0])
    assert changed.dtype == np.uint8 and len(np.unique(changed.reshape(8, -1), axis=0)) == 8


def test_cutout_mixup_and_cutmix_are_those_of_tensorflow():
    from kcnn.data import augment, jax_augment, mixing

    images, others = noise(), noise()[::-1]
    share = np.array([0.0, 0.1, 0.5, 0.77, 0.9, 1.0], np.float32)
    centre = np.array([[0, 11, 6, 3, 5, 9], [0, 15, 8, 13, 2, 4]], np.int32)
    np.testing.assert_array_equal(
        jax_augment.cutout(images, centre), augment.cutout(images, centre)
    )
    blended = np.asarray(jax_augment.mixup(images, others, share)).astype(int)
    assert np.abs(blended - mixing.mixup(images, others, share).numpy()).max() <= 1  # of rounding
    received, remaining = jax_augment.cutmix(images, others, share, centre)
    expected, share = mixing.cutmix(images, others, share, centre)
    np.testing.assert_array_equal(received, expected)
    np.testing.assert_allclose(remaining, share, rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["none", "shift", "standard", "alternating", "cutout", "mixup", "cutmix"]
)
def test_every_draw_follows_from_the_key_and_differs_from_image_to_image(name):
    from kcnn.data.jax_augment import augmentation

    image, labels = noise(1), np.arange(64) % 3
    images = np.repeat(image, 64, axis=0)
    turned = np.arange(64) % 2 == 0
    augment = jax.jit(augmentation(name, mirror=True, num_classes=3))
    changed, targets = augment(images, labels, jax.random.key(0), turned)
    np.testing.assert_array_equal(changed, augment(images, labels, jax.random.key(0), turned)[0])
    distinct = len(np.unique(np.asarray(changed).reshape(64, -1), axis=0))
    assert distinct == 1 if name == "none" else distinct > 20
    other = augment(images, labels, jax.random.key(1), turned)[0]
    assert (changed == other).all() == (name == "none")
    if name in ("mixup", "cutmix"):
        np.testing.assert_allclose(np.asarray(targets).sum(axis=1), 1, rtol=1e-5)
        assert (np.asarray(targets) > 0.05).sum() > 80
    else:
        np.testing.assert_array_equal(targets, labels)
    if name in ("standard", "alternating"):  # a window of each image, as it is or mirrored
        unmirrored = augmentation(name, mirror=False, num_classes=3)
        kept = np.asarray(unmirrored(images, labels, jax.random.key(0), turned)[0])
        same = (kept == changed).all(axis=(1, 2, 3))
        if name == "alternating":
            np.testing.assert_array_equal(same, ~turned)
        assert 16 < same.sum() < 48
        np.testing.assert_array_equal(kept[~same], np.asarray(changed)[~same][:, :, ::-1])


# The training


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """What a process on JAX did."""
    folder = tmp_path_factory.mktemp("jax")
    code = Path(__file__).with_name("jax_process.py")
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # it compiles for most of its time
    run = subprocess.run(
        [sys.executable, str(code), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads((folder / "done.json").read_text()) | {"folder": folder, "log": run.stdout}


def test_no_tensorflow_is_imported(done):
    assert done["loaded"] == []


def test_steps_are_those_of_tensorflow(done):
    """Schedule, coupled decay, averages, Lookahead, smoothing, penalty: equal after 4 steps."""
    part = load_arrays("digits", limit=200).train
    data = kcnn.data.load("digits", limit=200, batch_size=len(part), augment="none")
    expected, received = trained_in_whole_batches(data), done["whole"]
    assert received["best_epoch"] == expected["best_epoch"]
    assert received["history"].keys() == expected["history"].keys()
    for key, values in expected["history"].items():
        np.testing.assert_allclose(received["history"][key], values, rtol=2e-3, err_msg=key)
    np.testing.assert_allclose(received["weights"], expected["weights"], rtol=2e-3)


def test_one_seed_gives_one_training(done):
    epochs = done["epochs"]
    assert epochs["first"] == epochs["again"]
    for name in ("other", "mixup", "alternating", "own"):
        assert epochs["first"] != epochs[name]


def test_an_image_alternates_between_itself_and_its_mirror_image():
    from kcnn.training.loop_jax import draws_of_an_epoch

    data = JaxData(load_arrays("digits", limit=200), 20, "alternating", seed=5)
    sides = []
    for epoch in range(3):
        order, _, turned = draws_of_an_epoch(data, data.arrays.train.labels, epoch)
        sides.append(np.zeros(data.num_train, bool))
        sides[-1][np.ravel(order)] = np.ravel(turned)
    assert order.size == data.num_train  # every image is in every epoch
    np.testing.assert_array_equal(sides[0], sides[2])
    np.testing.assert_array_equal(sides[0], ~sides[1])
    assert 0.3 < sides[0].mean() < 0.7


def test_callbacks_see_batches_all_or_every_so_many(done):
    watched = done["watched"]
    assert watched["steps"] == 8
    every = watched["all"]
    assert every["seen"] == list(range(1, 17)) and len(set(every["weights"])) == 16
    # and the last step of each epoch
    steps = [5, 8, 10, 15, 16]
    expected = [every["weights"][step - 1] for step in steps]
    for name in ("fifth", "fifth, compiled loop"):
        assert watched[name]["seen"] == steps
        np.testing.assert_allclose(watched[name]["weights"], expected, rtol=1e-5)
        for key, values in every["history"].items():
            np.testing.assert_allclose(watched[name]["history"][key], values, rtol=1e-3)


def test_an_epoch_is_the_same_whenever_it_comes(done):
    np.testing.assert_allclose(*done["resumed"], rtol=1e-5)


def test_other_callbacks_for_batches_do_what_they_do_in_keras(done):
    stock = done["stock"]
    np.testing.assert_array_equal(stock["still"], stock["start"])  # a rate of 0, set before a step
    assert stock["stopped"] == 3  # not at the epoch's end
    assert stock["at once"] == 1  # Keras looks after a batch, too
    assert 1 <= stock["nan"] < 8  # TerminateOnNaN
    losses = [each["loss"] for each in stock["logs"]]  # of a LambdaCallback beside Lookahead
    assert len(losses) == 16 and len(set(losses)) == 16


def test_an_epoch_reaches_what_it_reaches_on_tensorflow(done):
    keras.utils.set_random_seed(0)
    data = kcnn.data.load("digits", batch_size=32)
    model = kcnn.models.lenet5(variant="modern")
    kcnn.train(model, data, epochs=1, learning_rate=3e-3)
    expected = kcnn.evaluate(model, data.test, expected_count=data.num_test).accuracy
    assert expected > 0.6 and abs(done["lenet"] - expected) < 0.15
    mixed = done["lenet, mixed"]
    assert mixed != done["lenet"] and abs(mixed - expected) < 0.15


def test_a_recipe_runs_and_leaves_what_tensorflow_reads(done):
    assert "exit" not in done or not done["exit"]
    folder = done["folder"] / "run"
    report = load_report(folder / "report.json")
    assert [receipt.name for receipt in report.receipts] == [
        "float",
        "pruned 50%, engine keras",
        "slim, 70% of the MACs",
        "float, TTA flip_shift",
    ]
    assert report.training["backend"] == "jax" and "tensorflow" not in report.training["left_out"]
    left_out = [
        line for line in done["log"].splitlines() if "leaves out: quantize, explain" in line
    ]
    assert len(left_out) == 1 and "KERAS_BACKEND=tensorflow kcnn export" in left_out[0]
    names = ("curves.png", "confusion.png", "history.csv", "report.html", "labels.txt")
    assert all((folder / name).stat().st_size for name in names)
    with (folder / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0"]
    data = kcnn.data.load("digits", limit=512, validation=0.2, batch_size=64)
    again = kcnn.evaluate(models.load(folder / "model.keras"), data.test)
    assert again.count == report.receipts[0].count
    assert again.accuracy == pytest.approx(report.receipts[0].accuracy)
    assert again.loss == pytest.approx(report.receipts[0].loss, rel=1e-4)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("own step", "A model with its own train_step"),
        ("scaled", "take mixed_bfloat16, which needs none"),
        ("tensorboard", "with TensorFlow only"),
        ("whitening", "train.whitening_epochs needs TensorFlow: leave it out"),
        ("strong", "'strong' runs on tensorflow only"),
        ("compare", "made by TensorFlow only"),
    ],
)
def test_what_only_tensorflow_can_do_is_refused_by_name(done, asked, said):
    assert said in done["refusals"][asked]


def test_muon_takes_the_steps_of_tensorflow(done):
    expected = trained(make_optimizer("muon", 0.1))
    for name, value in done["muon"].items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_pruning_leaves_as_many_zeros_as_on_tensorflow(done):
    data = kcnn.data.load("digits", batch_size=32, limit=160, augment="none")
    expected = zeros(prune(network(), data, sparsity=0.7, epochs=2, engine="keras").model)
    assert done["pruned"] == [expected, expected]


def test_clustering_learns_the_values_that_tensorflow_learns(done):
    data = kcnn.data.load("digits", batch_size=32, limit=160, augment="none")
    expected = cluster(network(), data, clusters=5, epochs=2, engine="keras")
    assert done["clustered"]["clusters"] == expected.clusters
    assert max(expected.clusters.values()) == 5
    assert done["clustered"]["loss"] == pytest.approx(expected.history["loss"][-1], rel=0.02)


def test_the_command_line_does_as_keras_json_says(tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    environment = os.environ | {"KERAS_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment.pop("KERAS_BACKEND", None)
    code = (
        "import sys; from kcnn.cli.shared import start_backend; start_backend(); "
        "print([name for name in ('jax', 'tensorflow') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
    )
    assert run.stdout.strip() == "['jax']", run.stderr[-2000:]


def test_a_run_begins_without_the_lines_of_tensorflow():
    """Keras seeds TensorFlow too where it is installed, and imports it for that."""
    code = (
        "import sys; from kcnn.pipeline import prepare, setup;"
        "from kcnn.recipe import Data, Recipe;"
        "recipe = Recipe(data=Data(name='digits', limit=60, batch_size=20));"
        "prepare.prepare(recipe, setup.load_for_jax(recipe, None));"
        "print('tensorflow' in sys.modules)"
    )
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
    )
    assert run.stdout.strip() == "True" and "oneDNN" not in run.stderr, run.stderr[-2000:]


def test_a_step_takes_the_memory_of_the_one_before():
    """JAX says so where it cannot, as for a carry that becomes smaller."""
    from kcnn.training.jax_steps import repeated

    given = jax.numpy.zeros(3)
    with pytest.warns(UserWarning, match="donated buffers"):
        repeated(lambda number, carry: carry[:2])(0, 1, given)
    assert not given.is_deleted(), "a model still holds it"


def test_jax_data_need_the_jax_backend():
    data = JaxData(load_arrays("digits", limit=50), 20)
    with pytest.raises(ValueError, match="set KERAS_BACKEND=jax"):
        kcnn.train(small_network(), data, epochs=1)
    with pytest.raises(ValueError, match="batch_size=1000 is larger"):
        JaxData(load_arrays("digits", limit=50), 1000)
