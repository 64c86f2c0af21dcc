"""Which images train, validate and test: folds, groups that stay together, balanced epochs."""

import logging
from collections import Counter

import numpy as np
import pytest
from test_own_images import COLORS, warnings, write

import kcnn
from kcnn.data import Fold, Folder, JaxData, from_arrays, load, load_arrays
from kcnn.data.folds import held_out_places
from kcnn.data.sources import source
from kcnn.pipeline import smoke
from kcnn.pipeline.setup import with_absolute_data
from kcnn.recipe import Data, Model, Recipe, Train, Transfer, from_json, override, to_json


def numbered(counts):
    """Return one gray image for each number, so that its pixels tell which image it is."""
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    return np.broadcast_to(images, (len(labels), 8, 8, 1)).copy(), labels


def which(dataset):
    return np.concatenate([images[:, 0, 0, 0] for images, _ in dataset.as_numpy_iterator()])


# Folds


def test_every_image_is_in_the_validation_set_of_one_fold():
    labels = np.repeat([0, 1, 2], [50, 30, 23])
    parts = [held_out_places(labels, Fold(number, of=5), seed=3) for number in range(5)]
    assert sorted(np.concatenate(parts)) == list(range(103))
    for part in parts:
        assert np.bincount(labels[part]) == pytest.approx([10, 6, 4.6], abs=1)
    np.testing.assert_array_equal(parts[0], held_out_places(labels, 0.2, seed=3)[: len(parts[0])])


def test_folds_divide_what_is_left_beside_the_test_images():
    images, labels = numbered([40, 20])
    seen = []
    for number in range(4):
        data = from_arrays(images, labels, validation=Fold(number, of=4), batch_size=8)
        assert data.num_test == 12
        held_out, trained = which(data.validation), which(data.calibration)
        assert not set(held_out) & (set(trained) | set(which(data.test)))
        seen.append(held_out)
    counts = Counter(np.concatenate(seen).tolist())
    assert len(counts) == 48 and set(counts.values()) == {1}
    arrays = load_arrays("digits", validation=Fold(9, of=10))
    assert len(arrays.validation) == 144


@pytest.mark.parametrize(
    ("assignments", "reason"),
    [
        (["data.fold=1"], "fold means nothing without folds"),
        (["data.folds=5", "data.fold=5"], "fold must be from 0 to 4 of folds=5"),
        (["data.folds=5", "data.validation=0.2"], "validation means nothing with folds"),
        (["data.folds=5", "data.validation=0.1"], "data.validation means nothing with data.folds"),
        (["data.folds=1"], "data.folds must be at least 2"),
        (
            ["data.sampling=balanced", "train.class_weight=balanced"],
            "two ways to the same",
        ),
    ],
)
def test_a_recipe_refuses_what_would_have_no_effect(assignments, reason):
    with pytest.raises(ValueError, match=reason):
        override(Recipe(), assignments)


def test_a_recipe_notes_its_fold_and_no_other_setting():
    plain = to_json(Recipe().resolved())
    assert not any(name in plain for name in ("fold", "groups"))
    recipe = override(Recipe(), ["data.folds=5"]).resolved()
    assert recipe.data.fold == 0 and from_json(to_json(recipe)) == recipe
    assert "validation" in plain and "validation" not in to_json(recipe)
    assert smoke(recipe).data.folds == 5


def test_a_smoke_run_takes_the_validation_images_of_a_folder(tmp_path):
    write(tmp_path, {f"{part}/{name}": 6 for part in ("train", "val") for name in COLORS})
    short = smoke(override(Recipe(), [f"data.name=folder:{tmp_path}"]))
    data = load(short.data.name, batch_size=4, validation=short.data.validation)
    assert data.num_validation == 18


def test_data_with_validation_images_refuse_a_fold(tmp_path):
    write(tmp_path, {f"{part}/{name}": 6 for part in ("train", "val") for name in COLORS})
    with pytest.raises(ValueError, match=r"18 validation images of their own, so .*Fold"):
        load_arrays(f"folder:{tmp_path}", validation=Fold(0, of=3))


# Groups


def grouped(tmp_path, *, header="file,group", line="{name}/{number}.png,{group}"):
    """Write 3 x 24 images of twelve people, and a CSV file of who is on which."""
    write(tmp_path / "people", {name: 24 for name in COLORS})
    rows = [
        line.format(name=name, number=number, group=f"person {number % 12}")
        for name in COLORS
        for number in range(24)
    ]
    path = tmp_path / "groups.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return Folder(tmp_path / "people", groups=path)


def people(part):
    return {int(name.rsplit("/", 1)[1].removesuffix(".png")) % 12 for name in part.names}


@pytest.mark.parametrize("validation", [0.2, Fold(0, of=4), Fold(3, of=4)])
def test_images_of_a_group_stay_together(tmp_path, validation):
    arrays = load_arrays(grouped(tmp_path), validation=validation)
    parts = [arrays.train, arrays.validation, arrays.test]
    assert sum(map(len, parts)) == 72
    train, held_out, test = map(people, parts)
    assert not (train & held_out or train & test or held_out & test)
    assert all(np.bincount(part.labels).min() > 0 for part in parts)
    assert len(arrays.test) == pytest.approx(72 / 5, abs=6)


def test_other_columns_and_bare_file_names_do(tmp_path):
    write(tmp_path / "people", {name: 4 for name in COLORS})
    for name in COLORS:
        for number in range(4):
            place = tmp_path / "people" / name
            (place / f"{number}.png").rename(place / f"{name}{number}.png")
    rows = [f"{name}{number}.png,left,{number}" for name in COLORS for number in range(4)]
    path = tmp_path / "groups.csv"
    path.write_text("\ufeffFile, side, Group\r\n" + "\r\n".join(rows))
    opened = Folder(tmp_path / "people", groups=path).open()
    assert opened.groups.tolist() == [0, 1, 2, 3] * 3


def test_groups_in_two_given_parts_are_named(tmp_path, caplog):
    write(tmp_path, {f"{part}/{name}": 4 for part in ("train", "test") for name in COLORS})
    rows = [f"{part}/{name}/{n}.png,{part}{n}" for part in ("train", "test") for name in COLORS
            for n in range(4)]  # fmt: skip
    path = tmp_path / "groups.csv"
    path.write_text("\n".join(["file,group", *rows, "gone.png,x"]).replace("test3", "train3"))
    Folder(tmp_path, groups=path).open()
    text = "\n".join(warnings(caplog))
    assert "1 files in" in text and "'gone.png'" in text
    assert "1 groups of" in text and "test images" in text and "'train3'" in text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("file;group\nred/0.png;a\n", r"CSV file with commas.*Received: 'file;group'"),
        ("file,group\nred/0.png,a\n", r"71 of 72 training images have no group"),
        ("file,group\nred/0.png,a\nred/0.png,b\n", r"two groups .*'a' and 'b'"),
        ("file,group\n0.png,a\n", r"3 images are called '0.png'"),
        ("file,group\nred/0.png,\n", "Line 2 of .* has no file or no group"),
        ("", "must be a CSV file"),
    ],
)
def test_a_file_of_groups_that_does_not_fit_is_refused(tmp_path, content, reason):
    folder = grouped(tmp_path)
    (tmp_path / "groups.csv").write_text(content)
    with pytest.raises(ValueError, match=reason):
        folder.open()


def test_too_few_groups_and_groups_of_other_sources_are_refused(tmp_path):
    images, labels = numbered([20, 20])
    owners = np.arange(40) % 4  # one of four for tests
    with pytest.raises(ValueError, match="3 groups cannot be divided into 5"):
        from_arrays(images, labels, groups=owners, validation=Fold(0, of=5))
    with pytest.raises(ValueError, match="1 group cannot be divided into 2 parts: name more"):
        from_arrays(images, labels, groups=np.zeros(40))
    assert from_arrays(images, labels, groups=owners, batch_size=8).num_validation == 10
    with pytest.raises(ValueError, match="groups must have one entry for each of 40"):
        from_arrays(images, labels, groups=[1, 2])
    with pytest.raises(ValueError, match=r"groups\[39\] is missing. Received: nan"):
        from_arrays(images, labels, groups=[*owners[:39], np.nan])
    with pytest.raises(ValueError, match="groups is for image folders"):
        source("digits", groups="groups.csv")
    with pytest.raises(ValueError, match="There is no file of groups"):
        load_arrays(Folder(write(tmp_path, {name: 5 for name in COLORS}), groups="none.csv"))


def test_arrays_have_groups_too():
    images, labels = numbered([30, 30])
    owners = np.arange(60) % 10
    data = from_arrays(images, labels, groups=[f"owner {each}" for each in owners], batch_size=8)
    train, held_out, test = (
        set(owners[which(part)]) for part in (data.calibration, data.validation, data.test)
    )
    assert not (train & held_out or train & test or held_out & test)


def test_a_run_remembers_where_its_groups_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = override(Recipe(), ["data.name=folder:photos", "data.groups=people.csv"])
    assert with_absolute_data(recipe).data.groups == str(tmp_path / "people.csv")


# Balanced epochs


@pytest.mark.parametrize("sampling", ["uniform", "balanced"])
def test_an_epoch_has_as_many_images_of_every_class_if_asked(sampling):
    images, labels = numbered([60, 12, 28])
    options = {"augment": "none", "sampling": sampling, "batch_size": 8, "validation": 0.1}
    data = from_arrays(images, labels, **options)
    epochs = [
        list(data.batches(epoch).take(data.steps_per_epoch).as_numpy_iterator()) for epoch in (0, 1)
    ]
    seen, classes = [], []
    for batches in epochs:
        seen.append(np.concatenate([images[:, 0, 0, 0] for images, _ in batches]))
        classes.append(np.concatenate([labels for _, labels in batches]))
        np.testing.assert_array_equal(classes[-1], labels[seen[-1]])
    counts = np.bincount(classes[0], minlength=3)
    if sampling == "uniform":
        assert len(set(seen[0])) == len(seen[0])
        return
    assert np.ptp(counts) <= 1 and counts.sum() == 72
    rare = Counter(seen[0][classes[0] == 1].tolist())  # nine images, each as often as the others
    assert len(rare) == 9 and max(rare.values()) - min(rare.values()) <= 1
    frequent = [seen[epoch][classes[epoch] == 0] for epoch in (0, 1)]
    assert all(len(set(each)) == len(each) for each in frequent)
    assert set(frequent[0]) != set(frequent[1])
    assert np.any(classes[0][:8] != classes[0][8:16])  # in random order
    again = from_arrays(images, labels, **options)
    np.testing.assert_array_equal(which(again.batches().take(9)), seen[0])
    np.testing.assert_array_equal(which(again.batches(0, 9).take(9)), seen[1])


def test_balanced_epochs_on_jax():
    jax = pytest.importorskip("jax")
    from kcnn.data.in_memory import InMemory
    from kcnn.training.loop_jax import draws_of_an_epoch

    arrays = load_arrays(InMemory.of(numbered([60, 12, 28])))
    data = JaxData(arrays, 8, "none", sampling="balanced")
    labels = jax.numpy.asarray(arrays.train.labels)
    orders = [np.asarray(draws_of_an_epoch(data, labels, epoch)[0]) for epoch in (0, 1)]
    counts = np.bincount(arrays.train.labels[orders[0].ravel()])
    assert np.ptp(counts) <= 1 and orders[0].shape == (9, 8)
    assert (orders[0] != orders[1]).any()
    assert data.identity() != JaxData(arrays, 8, "none").identity()


def test_classes_are_not_balanced_twice():
    images, labels = numbered([60, 20])
    data = from_arrays(images, labels, sampling="balanced", batch_size=8)
    with pytest.raises(ValueError, match="sampling='balanced'.*leave class_weight"):
        kcnn.train(kcnn.models.simple_cnn((8, 8, 1), 2), data, epochs=1, class_weight="balanced")
    with pytest.raises(ValueError, match="Unknown sampling 'balance'"):
        from_arrays(images, labels, sampling="balance")


# The name beside a pretrained network


def test_a_name_beside_a_pretrained_network_must_be_its_own(tmp_path):
    from kcnn.pipeline.setup import build

    kcnn.models.simple_cnn(name="mine").save(tmp_path / "mine.keras")
    data = load("digits", limit=60, batch_size=8)
    for options in (
        {"trained": str(tmp_path / "mine.keras")},
        {"transfer": Transfer(base=str(tmp_path / "mine.keras")), "train": Train(epochs=1)},
    ):
        with pytest.raises(ValueError, match="a network called 'mine'.*model.name='resnet20'"):
            build(Recipe(data=Data(name="digits"), model=Model(name="resnet20"), **options), data)
        for name in (None, "mine"):
            build(Recipe(data=Data(name="digits"), model=Model(name=name), **options), data)
        text = to_json(Recipe(**options).resolved())
        assert "simple_cnn" not in text
        # As files of earlier versions have it, which did not know whether a name was given.
        old = text.replace('"model": {', '"model": {\n    "name": "simple_cnn",')
        assert from_json(old) == Recipe(**options).resolved()


@pytest.fixture(autouse=True)
def _log_level(caplog):
    caplog.set_level(logging.INFO, "kcnn")
