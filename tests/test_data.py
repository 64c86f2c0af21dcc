"""The data room: what is loaded, how it is cut, in which order it comes, and what is refused."""

import dataclasses
import os
import shutil
import socket
import subprocess
import sys
import zlib
from pathlib import Path

import keras
import numpy as np
import pytest
import sklearn.datasets
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from kcnn import train
from kcnn.data import (
    Digits,
    Folder,
    ImageReader,
    LabelledImages,
    Opened,
    labelled,
    load,
    load_arrays,
    read_image,
    source,
)
from kcnn.data.splits import stratified_order

NUM_CLASSES = 3
NUM_TRAIN, NUM_TEST = 90, 30


def pictures(count, *, channels=3, size=(12, 16)):
    """Images of noise whose every pixel shows the label: 80 * label plus less than 80."""
    random = np.random.default_rng([count, channels])
    labels = random.permutation(np.arange(count) % NUM_CLASSES)
    noise = random.integers(0, 80, (count, *size, channels))
    return (noise + 80 * labels[:, None, None, None]).astype(np.uint8), labels.astype(np.int32)


class KcnnPictures(tfds.core.GeneratorBasedBuilder):
    """A real, tiny tfds set for each case that matters."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name=name)
        for name in ("plain", "gray", "sizes", "train_only", "secret_test", "test_only", "no_label")
    ]

    def _info(self):
        case = self.builder_config.name
        shape = {"sizes": (None, None, 3), "gray": (12, 16, 1)}.get(case, (12, 16, 3))
        features = {
            "image": tfds.features.Image(shape=shape, encoding_format="png"),
            "label": tfds.features.ClassLabel(names=["ant", "bee", "cat"]),
        }
        keys = None if case == "no_label" else ("image", "label")
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features), supervised_keys=keys
        )

    def _split_generators(self, dl_manager):
        case = self.builder_config.name
        splits = {} if case == "test_only" else {"train": self._generate_examples(NUM_TRAIN)}
        if case == "secret_test":
            splits["validation"] = self._generate_examples(NUM_TEST)
            splits["test"] = self._generate_examples(NUM_TEST, secret=True)
        elif case != "train_only":
            splits["test"] = self._generate_examples(NUM_TEST)
        return splits

    def _generate_examples(self, count, secret=False):
        case = self.builder_config.name
        images, labels = pictures(count, channels=1 if case == "gray" else 3)
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            if case == "sizes" and index % 2:
                image = image.repeat(2, axis=0)
            yield index, {"image": image, "label": -1 if secret else int(label)}


@pytest.fixture(scope="module")
def tfds_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    for config in KcnnPictures.builder_configs:
        KcnnPictures(config=config, data_dir=folder).download_and_prepare()
    return folder


def write_folder(root, images, labels, names=("ant", "bee", "cat")):
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = root / names[label] / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


@pytest.fixture(scope="module")
def image_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    write_folder(root / "train", *pictures(NUM_TRAIN))
    write_folder(root / "test", *pictures(NUM_TEST))
    for name in ("notes.txt", "._000.png"):
        (root / "train" / "ant" / name).write_text("not an image")
    return root


@pytest.fixture(scope="module")
def cifar10_dir():
    folder = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    if not (Path(folder).expanduser() / "cifar10").is_dir():
        pytest.skip("no prepared CIFAR-10: set TFDS_DATA_DIR to the folder that holds cifar10/")
    return folder


def batches(dataset):
    return [(images.numpy(), labels.numpy()) for images, labels in dataset]


def joined(dataset):
    images, labels = zip(*batches(dataset), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def fingerprints(images):
    return {image.tobytes() for image in images}


def all_parts(data):
    return {
        name: batches(getattr(data, name))
        for name in ("train", "validation", "test", "calibration")
    }


def assert_same(first, second):
    assert len(first) == len(second)
    for (images, labels), (other_images, other_labels) in zip(first, second, strict=True):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(labels, other_labels)


def test_names_load_no_tensorflow():
    code = (
        "import sys, kcnn.data as d; d.names(), d.AUGMENTATIONS, dir(d);"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# The three kinds of sources


def test_digits_are_those_of_scikit_learn():
    data = load("digits", batch_size=100, augment="none")
    digits = sklearn.datasets.load_digits()
    assert data.class_names == tuple("0123456789") and data.image_shape == (32, 32, 3)
    assert data.num_train + data.num_validation + data.num_test == 1797
    parts = [joined(part) for part in (data.calibration, data.validation, data.test)]
    images, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    assert images.dtype == np.uint8 and labels.dtype == np.int32
    assert (images[..., 0] == images[..., 2]).all() and images.max() == 255
    # Back to 8x8 means of blocks, each picture must be closest to an original of its own label.
    small = images[..., 0].reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4)).reshape(-1, 64) * 16 / 255
    originals = digits.data
    distance = (small**2).sum(1)[:, None] - 2 * small @ originals.T + (originals**2).sum(1)
    assert (digits.target[distance.argmin(axis=1)] == labels).all()


def test_digits_are_read_once_and_only_copies_can_be_changed():
    first, second = (Digits().open().train.images for _ in range(2))
    assert first is second and not first.flags.writeable
    assert load_arrays("digits").train.images.flags.writeable


def test_digits_are_never_mirrored():
    shift, standard = (load("digits", augment=name) for name in ("shift", "standard"))
    assert_same(batches(shift.train.take(2)), batches(standard.train.take(2)))


@pytest.mark.parametrize("case", ["plain", "gray"])
def test_tfds_gives_what_tfds_itself_gives(tfds_dir, case):
    name = f"kcnn_pictures/{case}"
    data = load(name, batch_size=8, data_dir=tfds_dir)
    assert data.class_names == ("ant", "bee", "cat")
    assert data.image_shape == (12, 16, 1 if case == "gray" else 3)
    expected = tfds.load(name, data_dir=tfds_dir, split="test", batch_size=-1)
    images, labels = joined(data.test)
    np.testing.assert_array_equal(images, expected["image"])
    np.testing.assert_array_equal(labels, expected["label"])
    expected = tfds.load(name, data_dir=tfds_dir, split="train", batch_size=-1)
    held = np.concatenate([joined(part)[0] for part in (data.calibration, data.validation)])
    assert fingerprints(held) == fingerprints(expected["image"].numpy())


def test_tfds_set_is_prepared_quietly_at_its_first_use(tmp_path, capsys, caplog):
    first, second = (load("kcnn_pictures/plain", batch_size=8, data_dir=tmp_path) for _ in range(2))
    assert first.class_names == ("ant", "bee", "cat")
    assert_same(batches(first.test), batches(second.test))
    assert capsys.readouterr().out == "" and not caplog.records


def test_tfds_without_a_usable_test_set(tfds_dir):
    cut = load("kcnn_pictures/train_only", batch_size=8, data_dir=tfds_dir)
    assert (cut.num_train, cut.num_validation, cut.num_test) == (65, 7, 18)
    secret = load("kcnn_pictures/secret_test", batch_size=8, data_dir=tfds_dir)
    assert secret.num_test == NUM_TEST and joined(secret.test)[1].min() == 0


def test_folder_gives_its_files(image_dir):
    data = load(f"folder:{image_dir}", batch_size=8, augment="none")
    assert data.class_names == ("ant", "bee", "cat")
    assert (data.num_train, data.num_validation, data.num_test) == (81, 9, NUM_TEST)
    images, labels = pictures(NUM_TEST)
    order = np.argsort(labels, kind="stable")
    assert_same([joined(data.test)], [(images[order], labels[order])])


def test_folder_without_train_and_test_is_cut(tmp_path):
    write_folder(tmp_path, *pictures(NUM_TRAIN))
    data = load(Folder(tmp_path), batch_size=8)
    assert (data.num_train, data.num_validation, data.num_test) == (65, 7, 18)


def test_images_of_different_sizes_are_resized(tfds_dir, tmp_path):
    images, labels = pictures(30)
    write_folder(tmp_path, [im[: 8 + i % 5] for i, im in enumerate(images)], labels)
    for name in (f"folder:{tmp_path}", "kcnn_pictures/sizes"):
        data = load(source(name, image_size=(10, 20)), batch_size=4, data_dir=tfds_dir)
        assert data.image_shape == (10, 20, 3)
        images, labels = joined(data.test)
        # Noise of 80 gray levels, averaged: still between the levels of its label.
        assert (images // 80 == labels[:, None, None, None]).all()


# Splits, order and randomness, the same for every source

SOURCES = ["digits", "folder", "kcnn_pictures/plain"]


@pytest.fixture
def load_source(image_dir, tfds_dir):
    def load_source(name, **kwargs):
        name = f"folder:{image_dir}" if name == "folder" else name
        return load(name, **{"batch_size": 16, "data_dir": tfds_dir} | kwargs)

    return load_source


@pytest.mark.parametrize("name", SOURCES)
def test_parts_are_disjoint_complete_and_stratified(load_source, name):
    data = load_source(name, batch_size=20, validation=0.2)
    parts = [joined(part) for part in (data.calibration, data.validation, data.test)]
    sizes = [data.num_train, data.num_validation, data.num_test]
    assert [len(labels) for _, labels in parts] == sizes
    seen = [fingerprints(images) for images, _ in parts]
    assert len(set.union(*seen)) == sum(sizes)
    shares = [np.bincount(labels) / len(labels) for _, labels in parts]
    for share, size in zip(shares, sizes, strict=True):
        assert np.abs(share - shares[0]).max() < 1.5 / size


@pytest.mark.parametrize("name", SOURCES)
def test_seed_changes_validation_but_not_test(load_source, name):
    first, other = (load_source(name, seed=seed) for seed in (0, 1))
    assert_same(batches(first.test), batches(other.test))
    held, held_other = (fingerprints(joined(d.validation)[0]) for d in (first, other))
    assert len(held & held_other) < len(held) / 2


@pytest.mark.parametrize("name", SOURCES)
def test_one_seed_gives_one_stream(load_source, name):
    expected = all_parts(load_source(name, seed=3))
    keras.utils.set_random_seed(99)
    received = all_parts(load_source(name, seed=3))
    other = all_parts(load_source(name, seed=4))
    for part in expected:
        assert_same(received[part], expected[part])
    assert (expected["train"][0][0] != other["train"][0][0]).any()


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("limit", [None, 60])
def test_reading_from_the_disk_gives_the_same_as_ram(
    load_source, monkeypatch, tmp_path, name, limit
):
    expected = all_parts(load_source(name, augment="strong", limit=limit))
    monkeypatch.setattr(labelled, "RAM_LIMIT", 0)
    monkeypatch.setenv("KCNN_DATA_CACHE", str(tmp_path))  # no arrays are kept there
    received = all_parts(load_source(name, augment="strong", limit=limit))
    for part in expected:
        assert_same(received[part], expected[part])


def test_train_is_one_epoch_in_a_fresh_order_each_time(load_source):
    data = load_source("folder", augment="none")
    known = {image.tobytes(): label for image, label in zip(*joined(data.calibration), strict=True)}
    assert data.steps_per_epoch == data.num_train // 16 == len(data.train) == 5
    assert data.train.element_spec[0].shape == (16, 12, 16, 3)
    twice = batches(data.train.repeat(2))
    epochs = [batches(data.train), batches(data.train), twice[:5], twice[5:]]
    orders = set()
    for epoch in epochs:
        images = np.concatenate([images for images, _ in epoch])
        labels = np.concatenate([labels for _, labels in epoch])
        order = tuple(image.tobytes() for image in images)
        assert len(set(order)) == 80  # No image twice, the remainder of 1 left out.
        assert [known[image] for image in order] == labels.tolist()
        orders.add(order)
    assert len(orders) == 4


def taken(dataset, count):
    return [(images.numpy(), labels.numpy()) for images, labels in dataset.take(count)]


def test_batches_begin_at_any_step_and_never_end(load_source):
    data = load_source("folder", augment="strong")
    steps = data.steps_per_epoch
    expected = taken(data.batches(), 3 * steps)
    assert data.batches().cardinality() == tf.data.INFINITE_CARDINALITY
    assert_same(expected, batches(data.train.repeat(3)))  # which begins with epoch 0
    assert_same(taken(data.batches(1), steps), expected[steps : 2 * steps])
    assert_same(taken(data.batches(1, 3), 4), expected[steps + 3 :][:4])
    assert_same(taken(data.batches(step=steps + 3), 4), expected[steps + 3 :][:4])
    assert_same(taken(data.batches(), steps), expected[:steps])


def test_a_start_in_the_middle_reads_no_skipped_image(monkeypatch):
    read = []

    class Counted:
        mirror = True

        def open(self, data_dir):
            def images_at(indices):
                read.extend(indices)
                return np.zeros((len(indices), 8, 8, 3), np.uint8)

            return Opened(ImageReader(np.arange(1000) % 2, (8, 8, 3), images_at), None, ("a", "b"))

    monkeypatch.setattr(labelled, "RAM_LIMIT", 0)
    data = load(Counted(), batch_size=10, augment="none")
    read.clear()
    taken(data.batches(2, data.steps_per_epoch - 1), 1)
    assert 10 <= len(read) <= 60  # prefetched ones, too
    assert data.steps_per_epoch > 60


def test_a_train_set_of_your_own_is_repeated(load_source):
    data = load_source("folder", augment="none")
    own = dataclasses.replace(data, train=data.calibration.take(3))
    expected = batches(data.calibration.take(3))
    assert_same(taken(own.batches(4), 5), [*expected, *expected[:2]])
    assert_same(taken(own.batches(step=2), 3), [expected[2], *expected[:2]])


@pytest.mark.parametrize(("argument", "value"), [("epoch", -1), ("step", -1), ("step", 0.5)])
def test_a_place_in_a_training_is_a_count(load_source, argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be an integer of at least 0"):
        load_source("folder").batches(**{argument: value})


def test_labels_stay_with_their_images_under_augmentation(load_source):
    data = load_source("kcnn_pictures/plain", augment="standard")
    for images, labels in data.train.repeat(3):
        # The middle never leaves a shifted image.
        middle = images.numpy()[:, 4:8, 4:12]
        assert (middle // 80 == labels.numpy()[:, None, None, None]).all()


def test_validation_test_and_calibration_are_the_same_each_time(load_source):
    data = load_source("folder")
    for part in (data.validation, data.test, data.calibration):
        assert_same(batches(part), batches(part))
    first_labels = joined(data.calibration)[1][: NUM_TRAIN // NUM_CLASSES]
    assert len(np.unique(first_labels)) == NUM_CLASSES  # The files are in the order of classes.


def test_limit_keeps_a_stratified_sample_that_is_the_same_for_every_seed(load_source):
    parts = [load_source("digits", limit=100, seed=seed, batch_size=8) for seed in (0, 1)]
    assert [(d.num_train, d.num_validation, d.num_test) for d in parts] == [(90, 10, 100)] * 2
    kept = [
        fingerprints(np.concatenate([joined(d.calibration)[0], joined(d.validation)[0]]))
        for d in parts
    ]
    assert kept[0] == kept[1]
    assert np.bincount(joined(parts[0].test)[1]).tolist() == pytest.approx([10] * 10, abs=1)


def test_every_beginning_of_a_stratified_order_has_the_shares_of_the_whole():
    labels = np.repeat(np.arange(4), [1000, 300, 30, 1])
    order = stratified_order(labels, seed=5)
    assert sorted(order) == list(range(len(labels)))
    for count in range(1, len(labels), 7):
        drawn = np.bincount(labels[order[:count]], minlength=4)
        share = np.bincount(labels) * count / len(labels)
        assert np.abs(drawn - share).max() < 2


# Real CIFAR-10


def test_cifar10(cifar10_dir):
    data = load("cifar10", data_dir=cifar10_dir, augment="none")
    assert (data.num_train, data.num_validation, data.num_test) == (45_000, 5_000, 10_000)
    assert data.class_names[:3] == ("airplane", "automobile", "bird")
    (train, train_labels), (held, held_labels), (test, test_labels) = (
        joined(part) for part in (data.calibration, data.validation, data.test)
    )
    assert (len(train), len(held), len(test)) == (45_000, 5_000, 10_000)
    assert not fingerprints(held) & fingerprints(train)
    for labels, share in ((train_labels, 4500), (held_labels, 500), (test_labels, 1000)):
        assert np.bincount(labels).tolist() == [share] * 10
    blocks = np.split(np.concatenate([train, held]).reshape(-1, 3), 50)
    mean = np.mean([block.mean(axis=0, dtype=np.float64) for block in blocks], axis=0) / 255
    square = np.mean([np.square(block, dtype=np.float64).mean(axis=0) for block in blocks], axis=0)
    deviation = np.sqrt(square / 255**2 - mean**2)
    np.testing.assert_allclose(mean, (0.4914, 0.4822, 0.4465), atol=6e-5)
    np.testing.assert_allclose(deviation, (0.2470, 0.2435, 0.2616), atol=6e-5)


# What is refused, and how


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"augment": "standart"}, r"Unknown augmentation 'standart'.*'standard'"),
        ({"batch_size": 0}, r"batch_size must be an integer of at least 1. Received: batch_size=0"),
        ({"batch_size": "8"}, r"batch_size must be an integer .*'8'"),
        ({"batch_size": 1500}, r"1500 is larger than the training set of 1294 images.*=1294"),
        ({"validation": 0}, r"validation must be above 0"),
        ({"validation": 0.5}, r"below 0\.5\. Received: 0\.5"),
        ({"seed": -1}, r"seed must be an integer of at least 0. Received: seed=-1"),
        ({"limit": 0}, r"limit must be an integer of at least 1"),
        ({"limit": 5}, r"limit=5 is too small"),
        ({"limit": 10}, r"limit=10 is too small: class '\d' would have no training image"),
        ({"name": 3}, r"name must be a string or a source.*Received: 3"),
        ({"name": Path("x")}, r"There is no image folder 'x'"),
        ({"name": "digitz"}, r"Unknown data set 'digitz'. Did you mean 'digits'"),
        ({"name": "cifar1O"}, r"Unknown data set 'cifar1O'. Did you mean 'cifar10'"),
        ({"name": "no set"}, r"Unknown data set 'no set'"),
        ({"name": "cifar10:0.0.7"}, r"TensorFlow Datasets cannot build data set 'cifar10:0.0.7'"),
        ({"name": "glue"}, r"Data set 'glue' is no image classification"),
        ({"name": "folder:"}, r"An image folder needs a path"),
        ({"name": "./"}, r"'./' is a folder: write 'folder:./'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(**{"name": "digits"} | arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(32,), (0, 32), [32, 32], 32, (3.2, 32)])
@pytest.mark.parametrize("name", ["cifar10", "folder:x", "digits"])
def test_bad_image_size(name, size):
    message = "digits are 32 x 32" if name == "digits" else r"image_size must be \(height, width\)"
    with pytest.raises(ValueError, match=message):
        source(name, image_size=size)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def bomb(path):
    """Write a PNG of a few bytes that says it has 10 billion pixels."""
    content = bytearray(path.read_bytes())
    content[16:24] = (100_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)


FOLDER_CASES = {
    "missing": (shutil.rmtree, r"There is no image folder"),
    "empty": (lambda root: [shutil.rmtree(d) for d in root.iterdir()], r"0 class folders"),
    "one class": (
        lambda root: [shutil.rmtree(root / "train" / name) for name in ("ant", "bee")],
        r"train' has 1 class folder; at least 2",
    ),
    "class without images": (
        lambda root: [file.unlink() for file in (root / "train" / "bee").iterdir()],
        r"train/bee' has no image \(.*\.bmp, \.gif, .*\.jpeg",
    ),
    "no train": (lambda root: shutil.rmtree(root / "train"), r"has test/ but no train/"),
    "no test classes": (
        lambda root: [shutil.rmtree(d) for d in (root / "test").iterdir()],
        r"test' has no class folders",
    ),
    "strange test class": (
        lambda root: (root / "test" / "dog").mkdir(),
        r"Class 'dog' is in '.*test' but not among the training classes: ant, bee, cat",
    ),
    "no image": (
        lambda root: (root / "train" / "ant" / "x.png").write_text("hello"),
        r"Image '.*train/ant/x\.png' cannot be read",
    ),
    "empty file": (
        lambda root: (root / "test" / "ant" / "x.jpg").touch(),
        r"Image '.*test/ant/x\.jpg' cannot be read",
    ),
    "cut off": (lambda root: truncate(root / "train/cat/002.png"), r"cat/002\.png' cannot be read"),
    "bomb": (lambda root: bomb(root / "train/cat/002.png"), r"cat/002\.png' cannot be read"),
    "size": (
        lambda root: Image.new("RGB", (5, 4)).save(root / "train" / "bee" / "x.bmp"),
        r"bee/x\.bmp' is 4 x 5 .*others are 12 x 16.*image_size=\(12, 16\) in kcnn.data.load, .*"
        r"--set data\.image_size='\[12, 16\]'",
    ),
    "size in test": (
        lambda root: Image.new("RGB", (5, 4)).save(root / "test" / "bee" / "x.bmp"),
        r"test/bee/x\.bmp' is 4 x 5 .*others are 12 x 16",
    ),
}


# What only decoding a whole image shows is not found at once when it stays on the disk.
@pytest.mark.parametrize(
    ("case", "ram_limit"),
    [(case, 1 << 30) for case in FOLDER_CASES]
    + [(case, 0) for case in FOLDER_CASES if case != "cut off"],
)
def test_bad_folder(tmp_path, monkeypatch, case, ram_limit):
    monkeypatch.setattr(labelled, "RAM_LIMIT", ram_limit)
    spoil, message = FOLDER_CASES[case]
    root = tmp_path / "images"
    images, labels = pictures(12)
    labels[2] = 2
    for split in ("train", "test"):
        write_folder(root / split, images, labels)
    spoil(root)
    with pytest.raises(ValueError, match=message) as caught:
        load(f"folder:{root}", batch_size=2)
    assert "\n" not in str(caught.value)


def test_too_few_images_for_a_split(tmp_path):
    write_folder(tmp_path, *pictures(3))
    with pytest.raises(ValueError, match="too few images: the validation set would be empty"):
        load(Folder(tmp_path), batch_size=1)


def test_tfds_set_of_different_sizes_asks_for_one(tfds_dir):
    message = (
        r"'kcnn_pictures/sizes' differ in size.*load\('kcnn_pictures/sizes', image_size="
        r".*--set data\.image_size='\[64, 64\]'"
    )
    with pytest.raises(ValueError, match=message):
        load("kcnn_pictures/sizes", data_dir=tfds_dir)


def test_tfds_set_that_is_not_fit_is_refused(tfds_dir):
    with pytest.raises(ValueError, match=r"has no train split. Received: test"):
        load("kcnn_pictures/test_only", data_dir=tfds_dir)
    with pytest.raises(ValueError, match=r"no image classification.*image, label"):
        load("kcnn_pictures/no_label", data_dir=tfds_dir)


def tfds_file(tfds_dir, copied):
    return str(next(Path(tfds_dir).rglob(f"plain/**/{copied.name}")))


def write_records(file, records):
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in records:
            writer.write(record)


@pytest.mark.parametrize("split", ["train", "test"])
def test_records_are_counted(tfds_dir, tmp_path, split):
    shutil.copytree(tfds_dir, tmp_path, dirs_exist_ok=True)
    file = next(tmp_path.rglob(f"plain/**/*{split}*tfrecord*"))
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(file))]
    for count in (len(records) - 7, len(records) + 1):
        write_records(file, (records * 2)[:count])
        said = rf"{split} split in .*plain.* has {count} records, .* says {len(records)}: "
        with pytest.raises(RuntimeError, match=said):
            load("kcnn_pictures/plain", data_dir=tmp_path)
    file.unlink()
    with pytest.raises(RuntimeError, match=f"There is no record file '.*{file.name}'"):
        load("kcnn_pictures/plain", data_dir=tmp_path)


@pytest.mark.parametrize("label", [3, 2**32 + 1, -2])
def test_a_label_of_no_class_is_refused_in_a_tfds_set(tfds_dir, tmp_path, label):
    shutil.copytree(tfds_dir, tmp_path, dirs_exist_ok=True)
    for split in ("train", "test"):
        file = next(tmp_path.rglob(f"plain/**/*{split}*tfrecord*"))
        records = [record.numpy() for record in tf.data.TFRecordDataset(str(file))]
        example = tf.train.Example.FromString(records[5])
        example.features.feature["label"].int64_list.value[0] = label
        write_records(file, [*records[:5], example.SerializeToString(), *records[6:]])
        with pytest.raises(
            ValueError, match=rf"{split} labels of .*kcnn_pictures.*\[5\] = {label}$"
        ):
            load("kcnn_pictures/plain", data_dir=tmp_path)
        write_records(file, records)


class InRam:
    """A source of your own."""

    mirror = True

    def __init__(self, images, labels):
        self.opened = Opened(LabelledImages(images, labels), None, ("a", "b"))

    def open(self, data_dir):
        return self.opened


BAD_LABELS = [
    ([10**9], r"\[7\] = 1000000000$"),
    ([2**32 + 1], r"\[7\] = 4294967297$"),
    ([-1], r"\[7\] = -1$"),
    ([2], r"\[7\] = 2$"),
    ([0.5], r"as integers. Received: float64, train labels\[7\] = 0.5$"),
    ([np.nan], r"as integers. Received: float64, train labels\[7\] = nan$"),
    ([1.0], r"as integers. Received: float64, train labels\[0\] = 0.0$"),
    (["b"], r"as integers. Received: <U\d+, train labels\[0\] = 0$"),
    ([1, 1], r"must be 60 class numbers of 0 to 1. Received: int64 of shape \(61,\)"),
]


@pytest.mark.parametrize(("last", "message"), BAD_LABELS)
def test_labels_of_your_own_source_are_checked_before_they_are_cast(last, message):
    images, _ = pictures(60)
    labels = np.concatenate([np.arange(60 - 1) % 2, last])
    labels[[7, 59]] = labels[[59, 7]]
    source_of_mine = InRam(images, labels)
    with pytest.raises(ValueError, match=message):
        load(source_of_mine, batch_size=4)
    with pytest.raises(ValueError, match=message):
        load_arrays(source_of_mine)


@pytest.mark.parametrize("scale", [lambda x: x / 255, lambda x: x / 127.5 - 1, lambda x: x // 200])
def test_scaled_pixels_are_warned_of_once(caplog, scale):
    images, _ = pictures(60)
    labels = np.arange(60) % 2
    data = load(InRam(images, labels), batch_size=4)
    assert not caplog.records or "raw pixels" not in caplog.text
    scaled = scale(images).astype(np.float32 if scale(images).dtype != np.uint8 else np.uint8)
    if scaled.dtype == np.uint8:
        load(InRam(scaled, labels), batch_size=4)
    else:
        own = data.train.map(lambda x, y: (tf.cast(scale(tf.cast(x, tf.float32)), tf.float32), y))
        own = dataclasses.replace(data, train=own)
        bare = [keras.layers.Flatten(), keras.layers.Dense(2)]
        train(keras.Sequential([keras.Input(data.image_shape), *bare]), own, epochs=1)
        assert "raw pixels" not in caplog.text  # the model does not scale them again
        scales = keras.layers.Rescaling(1 / 255)
        train(keras.Sequential([keras.Input(data.image_shape), scales, *bare]), own, epochs=2)
    (warning,) = [each for each in caplog.records if "raw pixels" in each.getMessage()]
    assert "The images of 'train'" in warning.getMessage()


def test_damaged_tfds_set_is_named(tfds_dir, tmp_path):
    shutil.copytree(tfds_dir, tmp_path, dirs_exist_ok=True)
    file = next(tmp_path.rglob("plain/**/*train*tfrecord*"))
    whole = file.read_bytes()
    for length in (len(whole) - 1, len(whole) // 2, 5):
        file.write_bytes(whole[:length])
        with pytest.raises(RuntimeError, match=rf"{file.name}' is damaged or cut off at byte \d+"):
            load("kcnn_pictures/plain", data_dir=tmp_path)
    for place in (3, 10, 200, len(whole) - 1):  # length, its checksum, payload, its checksum
        changed = bytearray(whole)
        changed[place] ^= 4
        file.write_bytes(changed)
        with pytest.raises(RuntimeError, match=rf"{file.name}' is damaged or cut off at byte \d+"):
            load("kcnn_pictures/plain", data_dir=tmp_path)
    records = [record.numpy() for record in tf.data.TFRecordDataset(tfds_file(tfds_dir, file))]
    write_records(file, [*records[:-1], b"\xff" * 40])
    with pytest.raises(RuntimeError, match=rf"{file.name}' is damaged or cut off at byte \d+"):
        load("kcnn_pictures/plain", data_dir=tmp_path)
    write_records(file, [record.replace(b"IDAT", b"IDOT") for record in records])
    with pytest.raises(ValueError, match="An image cannot be decoded") as caught:
        load("kcnn_pictures/plain", batch_size=8, data_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_no_network_is_said_at_once(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("KCNN_DATA_CACHE", str(tmp_path_factory.mktemp("cache")))  # nothing kept

    def refuse(*args, **kwargs):
        raise OSError("Network is unreachable")

    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(socket, "create_connection", refuse)
    tried = []  # what TFDS does without a network: minutes of retries
    monkeypatch.setattr(
        tfds.core.DatasetBuilder, "download_and_prepare", lambda *_, **__: tried.append(1)
    )
    with pytest.raises(RuntimeError, match=r"'cifar10' is not in .*--data-dir.*'digits'") as caught:
        load("cifar10", data_dir=tmp_path)
    assert "cannot be reached" in str(caught.value) and not tried
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# Files of every kind


MODES = {
    "png": ["RGB", "L", "1", "P", "LA", "RGBA"],
    "jpg": ["RGB", "L", "CMYK"],
    "bmp": ["RGB", "L", "1", "P"],
    "webp": ["RGB", "RGBA"],
}


@pytest.mark.parametrize(
    ("suffix", "mode"), [(suffix, mode) for suffix in MODES for mode in MODES[suffix]]
)
def test_read_image_makes_rgb_of_every_mode(tmp_path, suffix, mode):
    path = tmp_path / f"image.{suffix}"
    image = Image.new("RGB", (9, 7), (250, 250, 250))
    image = image.quantize() if mode == "P" else image.convert(mode)
    image.save(path)
    received = read_image(path)
    assert received.shape == (7, 9, 3) and received.dtype == np.uint8
    assert np.abs(received.astype(int) - (255 if mode == "1" else 250)).max() <= 6


def test_read_image_scales_16_bit_gray(tmp_path):
    path = tmp_path / "deep.png"
    deep = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(deep).save(path)
    assert read_image(path)[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_folder_turns_photos_upright(tmp_path, orientation):
    upright = np.zeros((8, 16, 3), np.uint8)
    upright[:4, :8] = 255
    stored = upright
    for step in {
        1: [],
        2: [np.fliplr],
        3: [np.rot90, np.rot90],
        4: [np.flipud],
        5: [lambda a: a.transpose(1, 0, 2)],
        6: [np.rot90],
        7: [lambda a: a.transpose(1, 0, 2), np.rot90, np.rot90],
        8: [np.rot90, np.rot90, np.rot90],
    }[orientation]:
        stored = step(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        for index in range(5):
            Image.fromarray(stored).save(tmp_path / name / f"{index}.jpg", exif=exif, quality=95)
    received = read_image(tmp_path / "ant" / "0.jpg")
    assert np.abs(received.astype(int) - upright).max() < 30
    assert load(Folder(tmp_path), batch_size=2, validation=0.2).image_shape == (8, 16, 3)
