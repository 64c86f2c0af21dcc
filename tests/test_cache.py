"""Decoding happens once: what is kept is read, and is never damaged or out of date."""

import json
import logging
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from kcnn.data import (
    Tfds,
    array_file,
    cache,
    labelled,
    load,
    load_arrays,
    load_streams,
    tfds_index,
    tfds_reader,
)

NAMES = ("ant", "bee", "cat")
SET = "kcnn_kept/plain"


class KcnnKept(tfds.core.GeneratorBasedBuilder):
    """A real, tiny tfds set whose brightness the environment decides."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="plain")]

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(6, 8, 3), encoding_format="png"),
            "label": tfds.features.ClassLabel(names=NAMES),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(60), "test": self._generate_examples(15)}

    def _generate_examples(self, count):
        random = np.random.default_rng(count)
        for key in range(count):
            image = random.integers(0, 200, (6, 8, 3)) + int(os.environ.get("KCNN_BRIGHTER", 0))
            yield key, {"image": image.astype(np.uint8), "label": key % 3}


@pytest.fixture
def kept(tmp_path, monkeypatch, caplog):
    """Where the only kept file will be, and a prepared set to make it of."""
    monkeypatch.setenv("KCNN_DATA_CACHE", str(tmp_path / "kept"))
    caplog.set_level(logging.INFO, logger="kcnn")
    kept_arrays(tmp_path / "prepared")
    return tmp_path / "kept" / "kcnn_kept--plain.npz"


@pytest.fixture
def prepared(tmp_path):
    return tmp_path / "prepared"


def kept_arrays(folder, name=SET, **options):
    return load_arrays(name, data_dir=folder, **options)


@pytest.fixture
def decodings(monkeypatch):
    """Each time that a prepared set was read."""
    seen, read = [], tfds_reader.read
    monkeypatch.setattr(tfds_reader, "read", lambda *given: seen.append(given) or read(*given))
    return seen


def content(arrays):
    parts = (arrays.train, arrays.validation, arrays.test)
    return [array for part in parts for array in (part.images, part.labels)]


def assert_same(received, expected):
    for ours, theirs in zip(content(received), content(expected), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_a_second_start_reads_what_was_kept_and_gives_the_same(
    kept, prepared, decodings, monkeypatch, tmp_path
):
    again = kept_arrays(prepared)
    streams = [list(load(SET, batch_size=8, data_dir=prepared).train.as_numpy_iterator())]
    assert not decodings
    monkeypatch.setenv("KCNN_DATA_CACHE", str(tmp_path / "empty"))
    assert_same(again, kept_arrays(prepared))
    assert len(decodings) == 1
    monkeypatch.setattr(labelled, "RAM_LIMIT", 0)  # nothing is decoded ahead
    monkeypatch.setenv("KCNN_DATA_CACHE", str(tmp_path / "no_images"))
    streams.append(list(load(SET, batch_size=8, data_dir=prepared).train.as_numpy_iterator()))
    for (images, labels), (other_images, other_labels) in zip(*streams, strict=True):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(labels, other_labels)
    places = {each.name for each in (tmp_path / "no_images").iterdir()}
    assert places == {f"kcnn_kept--plain--1.0.0-{part}-index.npz" for part in ("train", "test")}


def test_the_files_of_a_large_set_are_read_once_until_they_change(
    kept, prepared, monkeypatch, tmp_path
):
    """Then only where each record lies is read, and a record when its image is needed."""
    held = kept_arrays(prepared).train.images
    monkeypatch.setattr(labelled, "RAM_LIMIT", 0)
    monkeypatch.setenv("KCNN_DATA_CACHE", str(tmp_path / "places"))
    scans, scan = [], tfds_index.scan
    monkeypatch.setattr(tfds_index, "scan", lambda path: scans.append(path) or scan(path))

    def images():
        data = load(SET, batch_size=8, data_dir=prepared, augment="none")
        return np.concatenate([each for each, _ in data.calibration.as_numpy_iterator()])

    first = images()
    assert len(scans) == 2  # train and test
    streams = load_streams(SET, data_dir=prepared)
    np.testing.assert_array_equal(streams.train.read(np.arange(len(held))), held)
    assert len(scans) == 2
    index = tmp_path / "places/kcnn_kept--plain--1.0.0-train-index.npz"
    index.write_bytes(index.read_bytes()[:200])
    np.testing.assert_array_equal(images(), first)
    assert len(scans) == 3  # of a damaged index
    (record_file,) = prepared.glob("**/*-train.tfrecord-*")
    os.utime(record_file)
    np.testing.assert_array_equal(images(), first)
    assert len(scans) == 4


IMAGES, LABELS = np.zeros((1, 6, 8, 3), np.uint8), np.zeros(1, np.int32)


def _flipped(whole):
    middle = len(whole) // 2
    return whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]


DAMAGES = {
    "half": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "byte": lambda file: file.write_bytes(_flipped(file.read_bytes())),
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text("not an archive"),
    "object": lambda file: np.savez(file, train_images=np.array([{}], object)),
    "label": lambda file: np.savez(
        file, train_images=IMAGES, train_labels=LABELS + 3, class_names=np.array(NAMES)
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_made_anew(kept, prepared, decodings, caplog, damage):
    expected = kept_arrays(prepared)
    DAMAGES[damage](kept)
    assert_same(kept_arrays(prepared), expected)
    assert len(decodings) == 1 and "damaged and not used" in caplog.text
    kept_arrays(prepared)
    assert len(decodings) == 1  # it is whole again


def test_a_set_that_was_prepared_anew_is_not_served_from_the_old_arrays(
    kept, prepared, decodings, monkeypatch
):
    before = kept_arrays(prepared)
    shutil.rmtree(prepared)
    monkeypatch.setenv("KCNN_BRIGHTER", "50")
    tfds.builder(SET, data_dir=prepared).download_and_prepare()
    after = kept_arrays(prepared)
    assert len(decodings) == 1
    np.testing.assert_array_equal(after.test.images, before.test.images + 50)


@pytest.mark.parametrize("asked", ["the same folder", "another folder"])
def test_kept_arrays_are_used_while_the_prepared_set_is_away(
    kept, prepared, decodings, tmp_path, caplog, asked
):
    expected = kept_arrays(prepared)
    if asked == "the same folder":
        shutil.rmtree(prepared)
    folder = prepared if asked == "the same folder" else tmp_path / "empty"
    assert_same(kept_arrays(folder), expected)
    assert not decodings and not folder.exists()  # nothing was prepared again
    assert "is not prepared here: the arrays that were cached are used" in caplog.text


@pytest.mark.parametrize("change", ["folder", "version", "tfds", "name"])
def test_what_decides_the_content_is_in_the_stamp(kept, prepared, decodings, monkeypatch, change):
    match change:
        case "folder":
            prepared = prepared.rename(prepared.with_name("moved"))
        case "version":
            next(prepared.rglob("1.0.0")).with_name("note").mkdir()
        case "tfds":
            monkeypatch.setattr(cache, "_tfds_version", lambda: "5.0")
        case "name":
            opened, note = array_file.read(kept)
            array_file.write(kept, opened, json.dumps(json.loads(note) | {"name": "other"}))
    kept_arrays(prepared)
    assert len(decodings) == 1


def test_each_size_has_a_file_of_its_own(kept, prepared):
    assert kept_arrays(prepared, Tfds(SET, image_size=(3, 4))).image_shape == (3, 4, 3)
    assert kept_arrays(prepared).image_shape == (6, 8, 3)
    names = {file.name for file in kept.parent.iterdir()}
    assert names == {"kcnn_kept--plain.npz", "kcnn_kept--plain-3x4.npz"}


def test_a_folder_that_cannot_be_written_costs_a_warning(kept, prepared, monkeypatch, caplog):
    monkeypatch.setenv("KCNN_DATA_CACHE", str(kept))  # a file
    assert len(kept_arrays(prepared).test) == 15
    assert "cannot be cached" in caplog.text


_WITHOUT_TENSORFLOW = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "tensorflow_datasets", "tf_keras"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
import importlib.util
importlib.util.find_spec = lambda name, package=None: (
    None if name.startswith("tensorflow") else object()
)
import kcnn.data
try:
    arrays = kcnn.data.load_arrays(sys.argv[1], seed=3)
    print(arrays.train.images.sum(), arrays.validation.labels.tolist())
except RuntimeError as error:
    print(error)
"""


def without_tensorflow(name):
    command = [sys.executable, "-c", _WITHOUT_TENSORFLOW, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_kept_arrays_need_no_tensorflow(kept, prepared):
    expected = kept_arrays(prepared, seed=3)
    text = f"{expected.train.images.sum()} {expected.validation.labels.tolist()}"
    assert without_tensorflow(SET) == text
    record = next(prepared.rglob("*train*tfrecord*"))
    record.write_bytes(record.read_bytes()[:-1])  # no longer what the arrays were made of
    message = without_tensorflow(SET)
    assert "no usable arrays" in message and "copy the file" in message
    shutil.rmtree(prepared)  # as on another machine, to which the file alone was copied
    assert without_tensorflow(SET) == text
