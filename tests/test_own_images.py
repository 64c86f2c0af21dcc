"""A user's own folders and arrays: which images are read, as what, and what is said of the rest."""

import dataclasses
import errno
import json
import logging
import os
import unicodedata

import keras
import numpy as np
import pytest
from command import run_command
from PIL import Image, features
from small_models import mean_color_model

from kcnn.cli.failure import failure_line
from kcnn.data import Folder, labelled, load, load_arrays, load_held_out
from kcnn.pipeline.setup import with_absolute_data
from kcnn.recipe import Recipe, from_json, override, to_json

COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def write(root, counts, *, suffix=".png", size=(8, 8)):
    """Write images of one color, told by the name of the class, that differ in one pixel."""
    for place, count in counts.items():
        folder = root / place
        folder.mkdir(parents=True, exist_ok=True)
        color = COLORS.get(folder.name.casefold(), (90, 90, 90))
        for number in range(count):
            image = Image.new("RGB", size, color)
            image.putpixel((0, 0), (number, len(place), sum(place.encode()) % 256))
            image.save(folder / f"{number}{suffix}")
    return root


def read(name, **options):
    return load_arrays(name if isinstance(name, Folder) else f"folder:{name}", **options)


def warnings(caplog):
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.fixture
def run(tmp_path):
    """A run of a model that knows red, green and blue, trained on 48 images of a folder."""
    write(tmp_path / "colors", {name: 20 for name in COLORS})
    folder = tmp_path / "run"
    folder.mkdir()
    mean_color_model(None).save(folder / "model.keras")
    (folder / "labels.txt").write_text("red\ngreen\nblue\n")
    changes = [f"data.name=folder:{tmp_path / 'colors'}", "data.batch_size=16", "data.limit=40"]
    (folder / "recipe.json").write_text(to_json(override(Recipe(), changes)))
    return folder


def evaluated(capsys, *arguments):
    assert run_command("evaluate", *arguments) == 0
    return capsys.readouterr().out


# A run that is opened again


def test_a_run_is_scored_with_its_own_batch_size_split_and_class_order(run, capsys):
    output = evaluated(capsys, run)
    assert "accuracy 100.00%" in output and "on 12 images" in output
    assert "balanced 100.00%" in output


def test_a_small_folder_is_scored_and_exported_without_a_batch_size(run, tmp_path, capsys):
    other = write(tmp_path / "other", {f"train/{name}": 12 for name in COLORS})
    assert "on 7 images" in evaluated(capsys, run, "--data", f"folder:{other}")
    out = tmp_path / "x.tflite"
    options = ("--data", f"folder:{other}", "--out", out, "--samples", 10)
    assert run_command("export", run, *options) == 0
    from kcnn.litert import TFLiteClassifier

    assert TFLiteClassifier(out).labels == ("red", "green", "blue")


def test_the_advice_is_in_the_callers_language(tmp_path):
    root = write(tmp_path, {name: 5 for name in COLORS})
    with pytest.raises(ValueError, match=r"pass batch_size=11 or less\.$") as caught:
        load(f"folder:{root}", batch_size=64)
    assert failure_line(caught.value).endswith("--set data.batch_size=11 or less.")


def test_a_recipe_remembers_where_its_images_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = with_absolute_data(override(Recipe(), ["data.name=folder:photos"]))
    assert recipe.data.name == f"folder:{tmp_path / 'photos'}"
    assert with_absolute_data(recipe) == recipe
    assert with_absolute_data(Recipe()).data.name == "cifar10"
    old = json.loads(to_json(recipe))
    del old["data"]["skip_damaged"]  # as earlier versions wrote it
    assert from_json(json.dumps(old)) == recipe


# Layouts


@pytest.mark.parametrize(
    "names", [("train", "val"), ("Train", "VALID"), ("TRAINING", "Validation")]
)
@pytest.mark.parametrize("test", [None, "Test", "testing"])
def test_the_parts_of_a_folder_are_used_as_what_they_are(tmp_path, names, test):
    train, validation = names
    parts = {train: 10, validation: 3} | ({test: 4} if test else {})
    for part, count in parts.items():
        write(tmp_path, {f"{part}/{name}": count for name in COLORS})
    arrays = read(tmp_path, seed=3)
    sizes = [len(part) for part in (arrays.train, arrays.validation, arrays.test)]
    assert sizes == ([30, 9, 12] if test else [24, 9, 6])
    assert all(f"/{validation}/" in name for name in arrays.validation.names)
    assert all(f"/{test or train}/" in name for name in arrays.test.names)


def test_a_folder_that_may_not_be_read_is_no_empty_one(tmp_path, monkeypatch):
    """Its images would be missing unnoticed."""
    root = write(tmp_path, {name: 10 for name in COLORS} | {"red/more": 3})
    scan = os.scandir

    def scandir(path):
        if str(path).endswith("more"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(OSError, match="Permission denied: '.*red/more'"):
        load(f"folder:{root}")


def test_a_folder_that_is_not_read_is_named(tmp_path, caplog):
    write(tmp_path, {f"{part}/{name}": 10 for part in ("train", "extra") for name in COLORS})
    write(tmp_path, {"test": 4})  # no classes
    read(tmp_path)
    assert any("not read: extra, test." in each for each in warnings(caplog))


def test_a_share_of_validation_images_is_refused_where_a_folder_has_its_own(tmp_path):
    write(tmp_path, {f"{part}/{name}": 5 for part in ("train", "val") for name in COLORS})
    with pytest.raises(ValueError, match=r"15 validation images of their own, so validation=0\.2"):
        read(tmp_path, validation=0.2)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"val/red": 2, "valid/red": 2}, "two folders of validation images, 'val' and 'valid'"),
        ({"train": 5, "test": 5}, "train hold images but no class folders|test, train hold"),
        (
            {f"{part}/{name}": 2 for part in ("set_train", "set_test") for name in COLORS},
            r"\(set_test, set_train\) hold no images but the same folders \(blue, green, red\)",
        ),
        ({"test/red": 3, "test/blue": 3}, "has test/ but no train/.*kcnn evaluate MODEL --data"),
        ({"train/red": 5}, "has 1 class folder; at least 2 are needed"),
        ({"set/train/red": 3, "set/train/blue": 3}, "Did you mean '.*set'?"),
        ({"set/red": 3, "set/blue": 3}, "Did you mean '.*set'?"),
    ],
)
def test_a_layout_that_could_mean_anything_is_refused(tmp_path, counts, message):
    with pytest.raises(ValueError, match=message) as caught:
        read(write(tmp_path, counts))
    assert "\n" not in str(caught.value)


def test_a_path_and_a_name_are_the_same_folder_in_any_size(tmp_path):
    write(tmp_path, dict.fromkeys(COLORS, 10))
    by_name = load(f"folder:{tmp_path}", image_size=(8, 6), batch_size=4)
    by_path = load(tmp_path, image_size=(8, 6), batch_size=4)
    assert by_name.image_shape == by_path.image_shape == (8, 6, 3)
    assert load_held_out(tmp_path, image_size=(8, 6)).image_shape == (8, 6, 3)
    with pytest.raises(ValueError, match="give it to the source itself, as in Folder"):
        load(Folder(tmp_path), image_size=(8, 6))
    with pytest.raises(ValueError, match="Unknown data set 'cifar-10'. Did you mean 'cifar10'"):
        load("cifar-10")
    with pytest.raises(ValueError, match="Did you mean 'arrays:own.npz'"):
        load("array:own.npz")


def test_a_class_may_be_called_train(tmp_path):
    arrays = read(write(tmp_path, {"train": 10, "car": 10, "plane": 10}))
    assert arrays.class_names == ("car", "plane", "train")


def test_names_of_classes_are_compared_in_one_unicode_form(tmp_path):
    name = "고양이"
    nfc, nfd = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    write(tmp_path, {f"train/{nfc}": 10, "train/dog": 10, f"test/{nfd}": 3, "test/dog": 3})
    arrays = read(tmp_path)
    assert arrays.class_names == ("dog", nfc)
    assert np.bincount(arrays.test.labels).tolist() == [3, 3]
    write(tmp_path, {f"train/{nfd}": 1})
    with pytest.raises(ValueError, match=r"has two folders .*\(NFC and NFD\)"):
        read(tmp_path)


def test_classes_without_images_are_named_before_the_training(tmp_path, caplog):
    write(tmp_path, {f"train/{name}": 10 for name in COLORS})
    write(tmp_path, {"test/red": 3, "val/green": 2, "val/red": 2, "test/blue": 0})
    read(tmp_path)
    said = warnings(caplog)
    assert "These classes have no validation image: 'blue'." in said
    assert "These classes have no test image: 'blue', 'green'." in said


# Held-out folders


@pytest.mark.parametrize("layout", ["{}", "test/{}", "Val/{}"])
def test_a_held_out_folder_is_scored_whole_by_names(run, tmp_path, capsys, layout):
    counts = {layout.format("green"): 3, layout.format("red"): 5}
    other = write(tmp_path / "other", counts, size=(20, 12))
    output = evaluated(capsys, run, "--data", f"folder:{other}")
    assert "accuracy 100.00%" in output and "on 8 images" in output
    rows = {line.split()[0]: line.split()[1:] for line in output.splitlines() if line}
    assert rows["red"] == ["100.00%", "100.00%", "5"] and rows["blue"] == ["-", "-", "0"]
    assert "no test image: 'blue'" in output


def test_a_tflite_files_own_names_decide_the_order(run, tmp_path, capsys):
    from kcnn.export import export_tflite

    file = tmp_path / "alone" / "colors.tflite"
    file.parent.mkdir()
    model = keras.models.load_model(run / "model.keras")
    export_tflite(model, file, quantization="none", labels=["red", "green", "blue"])
    other = write(tmp_path / "other", {"green": 3, "red": 5})
    assert "accuracy 100.00%" in evaluated(capsys, file, "--data", f"folder:{other}")


def test_a_class_that_the_model_has_not_is_refused_by_name(run, tmp_path, capsys):
    other = write(tmp_path / "other", {"green": 3, "Red": 5})
    assert run_command("evaluate", run, "--data", f"folder:{other}") == 1
    assert "Unknown class 'Red'. Did you mean 'red'? Known: blue, green, red." in (
        capsys.readouterr().err
    )


def test_arrays_of_test_images_only_are_scored(tmp_path):
    images, labels = np.zeros((4, 8, 8, 3), np.uint8), np.array([1, 1, 0, 1])
    np.savez(tmp_path / "x.npz", test_images=images, test_labels=labels, class_names=["a", "b"])
    held_out = load_held_out(f"arrays:{tmp_path / 'x.npz'}", ["b", "c", "a"])
    (found,) = (labels for _, labels in held_out.test.as_numpy_iterator())
    assert found.tolist() == [0, 0, 2, 0] and held_out.class_names == ("b", "c", "a")


# Files


def test_every_kind_of_file_is_read_in_folders_of_classes_and_the_rest_is_counted(tmp_path, caplog):
    kinds = [".png", ".tif", ".tiff", ".jfif", ".jpe", ".JPG", ".ppm"]
    kinds += [".avif"] * features.check("avif") + [".jp2"] * features.check("jpg_2000")
    for kind in kinds:
        write(tmp_path / kind[1:], {"red": 2, "blue/deep/deeper": 2}, suffix=kind)
    root = tmp_path / "all"
    for name in ("red", "blue"):
        (root / name).mkdir(parents=True)
        for kind in kinds:
            (tmp_path / kind[1:] / name).rename(root / name / kind[1:])
    (root / "red" / "notes.txt").write_text("x")
    (root / "red" / "photo.heic").write_bytes(b"x")
    (root / "red" / ".hidden.txt").write_text("x")
    arrays = read(root)
    assert len(arrays.train) + len(arrays.validation) + len(arrays.test) == 4 * len(kinds)
    assert any("read as the classes" in each for each in warnings(caplog))
    (said,) = [each for each in warnings(caplog) if "left out" in each]
    assert "2 files in" in said and "1 .txt" in said and "1 .heic" in said


def cut(path):
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize("ram_limit", [1 << 30, 0])
def test_all_damaged_files_are_found_before_the_training(tmp_path, monkeypatch, caplog, ram_limit):
    monkeypatch.setattr(labelled, "RAM_LIMIT", ram_limit)
    parts = ("train", "val", "test")
    write(tmp_path, {f"{part}/{name}": 10 for part in parts for name in COLORS}, suffix=".jpg")
    bad = [tmp_path / part / "red" / f"{number}.jpg" for part in parts for number in (3, 7)]
    for path in bad:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) - 40])  # only decoding shows it
    with pytest.raises(ValueError, match="^6 images cannot be read.*skip_damaged=True") as caught:
        load(f"folder:{tmp_path}", batch_size=2)
    assert failure_line(caught.value).endswith("--skip-damaged.")
    said = "\n".join(warnings(caplog))
    assert all(str(path) in said for path in bad)
    bad[0].write_bytes(b"")  # the header shows it
    with pytest.raises(ValueError, match="^6 images cannot be read"):
        load(f"folder:{tmp_path}", batch_size=2)
    caplog.clear()
    data = load(Folder(tmp_path, skip_damaged=True), batch_size=2)
    assert (data.num_train, data.num_validation, data.num_test) == (28, 28, 28)
    assert "6 damaged images are left out." in warnings(caplog)
    assert sum(len(labels) for _, labels in data.test.as_numpy_iterator()) == 28


def test_skip_damaged_means_nothing_but_for_a_folder():
    recipe = override(Recipe(), ["data.skip_damaged=true", "data.name=digits"])
    from kcnn.pipeline.setup import load_for_jax

    with pytest.raises(ValueError, match="skip_damaged is for image folders"):
        load_for_jax(recipe, None)
    assert dataclasses.asdict(recipe.data)["skip_damaged"] is True


# Labels


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"train_labels": [1, 2, 3, 3]}, "must count from 0. Received: 1, 2, 3 in train_labels"),
        (
            {"train_labels": [0, 1, 0, 1], "test_labels": [0, 1, 2, 2]},
            "test_labels has classes that no training image has: 2",
        ),
        (
            {"train_labels": [0, 1, 0, 1], "class_names": ["cat", "dog", "cat"]},
            "Class names must differ. Received: 'cat' for classes 0, 2",
        ),
    ],
)
def test_labels_that_cannot_be_meant_are_refused(tmp_path, arrays, message):
    images = np.zeros((4, 8, 8, 3), np.uint8)
    parts = {name.replace("labels", "images"): images for name in arrays if "labels" in name}
    np.savez(tmp_path / "x.npz", **parts, **arrays)
    with pytest.raises(ValueError, match=message):
        load_arrays(f"arrays:{tmp_path / 'x.npz'}")


def test_a_named_class_without_training_images_is_warned_of(tmp_path, caplog):
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
    labels = np.arange(40) % 2
    test = {"test_images": images[:6], "test_labels": [0, 1, 2, 2, 1, 0]}
    np.savez(
        tmp_path / "x.npz",
        train_images=images,
        train_labels=labels,
        class_names=["a", "b", "c"],
        **test,
    )
    load_arrays(f"arrays:{tmp_path / 'x.npz'}")
    said = warnings(caplog)
    assert "These classes have no training image: 'c'." in said
    assert any(each.startswith("6 test images are training images, too") for each in said) or any(
        "test images are training images, too" in each for each in said
    )


@pytest.mark.parametrize("ram_limit", [1 << 30, 0])
def test_the_same_image_in_training_and_test_is_named(tmp_path, monkeypatch, caplog, ram_limit):
    monkeypatch.setattr(labelled, "RAM_LIMIT", ram_limit)
    write(tmp_path, {f"{part}/{name}": 6 for part in ("train", "val", "test") for name in COLORS})
    copied = tmp_path / "test" / "red" / "copy.png"
    copied.write_bytes((tmp_path / "train" / "red" / "5.png").read_bytes())
    load(f"folder:{tmp_path}", batch_size=2)
    (said,) = [each for each in warnings(caplog) if "training images, too" in each]
    assert said.startswith("1 test images")
    assert "copy.png' is '" in said and "train/red/5.png" in said
