"""Published weights: what goes in comes out, and nothing else does."""

import json
import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest

from kcnn import models
from kcnn.models.published import MANIFEST, WEIGHTS, read_manifest
from kcnn.provenance import sha256_of_json

ROOT = Path(__file__).parents[1]
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
OPTIONS = {"num_classes": 3, "spatial_dropout": 0.0, "dropout": 0.1}


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    return models.simple_cnn(**OPTIONS)


@pytest.fixture
def folder(model, tmp_path):
    models.publish(model, tmp_path, "simple_cnn", OPTIONS, ("a", "b", "c"))
    return tmp_path


def test_the_model_comes_back(model, folder):
    found = models.load_published(folder)
    np.testing.assert_array_equal(found(IMAGES), model(IMAGES))
    np.testing.assert_array_equal(models.load(folder / MANIFEST)(IMAGES), model(IMAGES))
    assert read_manifest(folder).class_names == ("a", "b", "c")


def test_half_of_the_bytes_give_nearly_the_same_logits(model, folder, tmp_path):
    models.publish(model, tmp_path / "half", "simple_cnn", OPTIONS, "abc", dtype="float16")
    found = models.load_published(tmp_path / "half")
    assert {str(each.dtype) for each in found.weights} == {"float32"}
    difference = np.abs(found(IMAGES) - np.asarray(model(IMAGES))).max()
    assert 0 < difference < 0.02 * np.abs(model(IMAGES)).max()
    assert (tmp_path / "half" / WEIGHTS).stat().st_size < 0.6 * (folder / WEIGHTS).stat().st_size
    model.weights[0].assign(model.weights[0] * 1e9)
    with pytest.raises(ValueError, match="'block1_conv/kernel' has values that are not finite in"):
        models.publish(model, tmp_path, "simple_cnn", OPTIONS, "abc", dtype="float16")


def test_only_what_the_builder_makes_is_published(model, tmp_path):
    for network, options, names, reason in (
        ("resnet20", {}, "abc", r"resnet20 with these arguments makes another network: stem_conv"),
        ("simple_cnn", {}, "abc", r"logits/kernel is \(.*, 10\), the weights have \(.*, 3\)"),
        ("simple_cnn", OPTIONS, "ab", "class_names must name the 3 logits. Received: 2"),
        ("own:net", {}, "abc", "Unknown model 'own:net'"),
    ):
        with pytest.raises(ValueError, match=reason):
            models.publish(model, tmp_path / "new", network, options, names)
    assert not (tmp_path / "new").exists()


def rewrite(folder, **changes):
    values = json.loads((folder / MANIFEST).read_text()) | changes
    del values["digest"]
    text = json.dumps(values | {"digest": sha256_of_json(values)})
    (folder / MANIFEST).write_text(text)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"network": "os:system"}, "names no network of kcnn: 'os:system'"),
        ({"arguments": {"dropout": {"class_name": "Lambda"}}}, "is damaged: arguments.dropout"),
        ({"arguments": {"num_classes": 2**40}}, "describes no network of kcnn: num_classes"),
        ({"arguments": {"depth": 3}}, "describes no network of kcnn: .*'depth'"),
        ({"arguments": OPTIONS | {"num_classes": 4}}, "makes another network: logits/kernel"),
        ({"sha256": "0" * 64}, "weights.npz' cannot be used: it has changed"),
        ({"shapes": {}}, "weights.npz' cannot be used: it is larger than the weights"),
        ({"dtype": "float64"}, "is damaged: dtype"),
        ({"more": 1}, "is damaged: more"),
        ({"format": 2}, "is damaged: format"),
    ],
)
def test_a_manifest_that_asks_for_something_else_is_refused(folder, changes, reason):
    rewrite(folder, **changes)
    with pytest.raises(ValueError, match=reason) as raised:
        models.load_published(folder)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS])
def test_every_damaged_byte_is_noticed(folder, name):
    content = (folder / name).read_bytes()
    for place in np.random.default_rng(1).integers(0, len(content), 60):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(place) % 8
        (folder / name).write_bytes(damaged)
        try:
            same = json.loads(damaged) == json.loads(content) if name == MANIFEST else False
        except ValueError:
            same = False
        if same:  # white space
            continue
        with pytest.raises(ValueError, match=name):
            models.load_published(folder)
    (folder / name).unlink()
    with pytest.raises(ValueError, match=name):
        models.load_published(folder)


@pytest.mark.parametrize("name", models.published_names())
def test_what_is_published_is_the_trained_model(name):
    found, folder = models.pretrained(name), ROOT / "saved_models" / name
    if (folder / "model.keras").is_file():
        trained = models.load(folder / "model.keras")
        np.testing.assert_array_equal(found(IMAGES), trained(IMAGES))
    assert "\n".join(read_manifest(folder).class_names) == (folder / "labels.txt").read_text()[:-1]
    small = sum((folder / each).stat().st_size for each in (MANIFEST, WEIGHTS)) < 5e6
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    inside = build["targets"]["wheel"]["force-include"]
    assert small == all(f"saved_models/{name}/{each}" in inside for each in (MANIFEST, WEIGHTS))


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"Unknown published model 'resnet2O'.*'resnet20'"):
        models.pretrained("resnet2O")
