"""A network from outside the package, by its module and function."""

import json
import sys

import pytest
from typer.testing import CliRunner

from kcnn import models
from kcnn.cli import app
from kcnn.models import arguments, build
from kcnn.pipeline import run
from kcnn.recipe import Data, Model, Recipe, Train, from_json, to_json

NETS = '''
"""Networks of somebody else."""

import keras

size = 3


def tiny(input_shape, num_classes, filters=4):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(filters, 3, activation="relu", name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dense(num_classes, name="logits"),
        ]
    )


def open_to_all(input_shape, num_classes, **options):
    return tiny(input_shape, num_classes, **options)


def demanding(input_shape, num_classes, filters):
    return tiny(input_shape, num_classes, filters)


def shapeless(num_classes):
    return keras.Sequential([keras.layers.Dense(num_classes)])


def without_input(input_shape, num_classes):
    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(num_classes)])


def no_model(input_shape, num_classes):
    return num_classes
'''
SHAPE = {"input_shape": (8, 8, 3), "num_classes": 4}


@pytest.fixture
def folder(tmp_path):
    """A folder with a package in it that nobody has installed."""
    package = tmp_path / "theirs/their_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text(NETS)
    yield tmp_path / "theirs"
    for name in ("their_package.nets", "their_package"):
        sys.modules.pop(name, None)


@pytest.fixture
def package(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return "their_package.nets"


def test_an_own_network_is_built_with_its_arguments(package):
    model = build(f"{package}:tiny", filters=6, **SHAPE)
    assert model.input_shape == (None, 8, 8, 3) and model.output_shape == (None, 4)
    assert model.get_layer("conv").filters == 6
    assert arguments(f"{package}:tiny") == ("input_shape", "num_classes", "filters")
    assert build(f"{package}:open_to_all", filters=2, **SHAPE).get_layer("conv").filters == 2


@pytest.mark.parametrize(
    "function, options, message",
    [
        ("tinny", {}, "has no 'tinny'. Did you mean 'tiny'"),
        ("tiny", {"filtres": 6}, "Unknown .*:tiny argument 'filtres'. Did you mean 'filters'"),
        ("shapeless", {}, "Unknown .*:shapeless argument 'input_shape'. Known: num_classes"),
        ("demanding", {}, "Own network '.*:demanding': missing a required argument: 'filters'"),
        ("without_input", {}, "must return a built graph.*Received: Sequential without inputs"),
        ("no_model", {}, "no_model' must return a keras.Model. Received: int"),
        ("size", {}, "size' must be a function of input_shape and num_classes.*Received: int"),
    ],
)
def test_what_is_no_network_is_refused_by_name(package, function, options, message):
    with pytest.raises(ValueError, match=message):
        build(f"{package}:{function}", **options, **SHAPE)


def test_an_own_network_runs_from_its_recipe_to_its_report(package, tmp_path):
    recipe = Recipe(
        data=Data(name="digits", limit=60, batch_size=16, validation=0.2),
        model=Model(name=f"{package}:tiny", options={"filters": 5}),
        train=Train(epochs=1),
        prune=None,
        explain=None,
    )
    assert from_json(to_json(recipe)) == recipe
    report = run(recipe, "theirs", tmp_path / "run")
    assert report.model == f"{package}:tiny"
    assert json.loads((tmp_path / "run/report.json").read_text())["model"] == report.model
    assert models.load(tmp_path / "run/model.keras").get_layer("conv").filters == 5
    assert (tmp_path / "run/model_int8.tflite").is_file()


RECIPE = """
from kcnn.recipe import Data, Model, Recipe, Train

recipe = Recipe(
    data=Data(name="digits", limit=60, batch_size=16, validation=0.2),
    model=Model(name="their_package.nets:tiny"),
    train=Train(epochs=1),
    prune=None,
    quantize=None,
    explain=None,
)
"""


@pytest.mark.parametrize(
    "command, out, file",
    [(["run"], "out", "out/report.json"), (["lr-find", "--steps", "50"], "lr.png", "lr.png")],
)
def test_commands_find_a_network_beside_the_recipe(command, out, file, folder, tmp_path):
    recipe = folder / "mine.py"
    recipe.write_text(RECIPE)
    options = ["--set", "model.options.filters=3", "--out", str(tmp_path / out)]
    result = CliRunner().invoke(app, [*command, str(recipe), *options])
    assert result.exit_code == 0, result.output
    assert (tmp_path / file).is_file()
