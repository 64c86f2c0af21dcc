"""Published weights: what goes in comes out, and nothing else does."""

import importlib.util
import json
import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

from kcnn import models
from kcnn.model_places import MANIFEST, find_model
from kcnn.models.published import WEIGHTS, read_manifest
from kcnn.pipeline.setup import pretrained
from kcnn.prediction import predict
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


def load_module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_a_wheel_carries_receipts_and_small_weights(folder, tmp_path):
    module = load_module(ROOT / "docs/published_files.py")
    run = tmp_path / "saved_models" / "small"
    run.mkdir(parents=True)
    for file in (folder / MANIFEST, folder / WEIGHTS):
        file.rename(run / file.name)
    (run / "report.json").write_text("{}")
    (run / "model.keras").write_text("")
    carried = [f"kcnn/_published/small/{name}" for name in ("report.json", MANIFEST, WEIGHTS)]
    assert list(module.published_files(tmp_path).values()) == carried
    (run / WEIGHTS).write_bytes(bytes(5_000_000))
    assert list(module.published_files(tmp_path).values()) == carried[:1]
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["hooks"]["custom"]["path"] == "docs/published_files.py"
    assert issubclass(module.PublishedFiles, BuildHookInterface)


@pytest.mark.parametrize("place", ["", "saved_models/"])
def test_a_name_stands_for_a_published_model_everywhere(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = find_model(f"{place}resnet8_int8")
    assert found == ROOT / "saved_models/resnet8_int8" / MANIFEST
    answers = predict(f"{place}resnet8_int8", IMAGES)
    assert answers.class_names[0] == "airplane"
    base = pretrained(f"{place}resnet8_int8", purpose="teacher")
    np.testing.assert_array_equal(base.get_weights()[0], models.load(found).get_weights()[0])
    (tmp_path / "resnet8_int8").write_text("mine")  # what lies in the folder comes first
    assert find_model("resnet8_int8") == Path("resnet8_int8")


def test_a_name_that_stands_for_nothing_is_refused_with_the_names():
    with pytest.raises(ValueError, match=r"published model 'resnet2O'. Did you mean 'resnet20'"):
        find_model("resnet2O")
    with pytest.raises(ValueError, match=r"There is no file 'runs/resnet20'\."):
        find_model("runs/resnet20")
    with pytest.raises(ValueError, match=r"to be the base: .* or a published model: .*resnet20"):
        pretrained("runs/resnet20", purpose="base")


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"Unknown published model 'resnet2O'.*'resnet20'"):
        models.pretrained("resnet2O")
