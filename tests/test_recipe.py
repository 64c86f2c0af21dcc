"""Recipes: overrides are typed and checked, and JSON brings the same recipe back."""

import pytest

from kcnn import recipe_files
from kcnn.recipe import Prune, Recipe, from_json, override, smoke, to_json


@pytest.mark.parametrize("name", recipe_files.shipped())
def test_a_shipped_recipe_survives_json_and_smoke(name):
    recipe = recipe_files.load(name).recipe
    assert from_json(to_json(recipe)) == recipe
    assert smoke(recipe).train.epochs == 1
    assert recipe_files.title(recipe_files.shipped()[name])


def test_overrides_are_typed():
    recipe = override(
        Recipe(),
        [
            "train.epochs=5",
            "train.learning_rate=1e-2",
            "data.augment=strong",
            "prune.sparsities=[0.3, 0.6]",
            "model.options.width=32",
            "quantize=none",
        ],
    )
    assert recipe.train.epochs == 5
    assert recipe.train.learning_rate == 0.01
    assert recipe.data.augment == "strong"
    assert recipe.prune == Prune(sparsities=(0.3, 0.6))
    assert recipe.model.options == {"width": 32}
    assert recipe.quantize is None
    assert recipe.seed == Recipe().seed


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.epocs=5", r"Unknown key 'train.epocs'. Did you mean 'train.epochs'\?"),
        ("epochs=5", r"Unknown key 'epochs'. Did you mean 'train.epochs'\?"),
        ("train.epochs.more=5", "Unknown key"),
        ("train.epochs=five", "train.epochs: .*integer.*Received: 'five'"),
        ("train.epochs=2.5", "train.epochs: .*integer"),
        ("train.epochs=0", "train.epochs: .*greater than or equal to 1.*Received: 0"),
        ("train.learning_rate=-1", "train.learning_rate: .*greater than 0"),
        ("train.learning_rate=NaN", "train.learning_rate: .*finite"),
        ("train.optimizer=adan", "train.optimizer: .*'adam'"),
        ("data.validation=1", "data.validation: .*less than 1"),
        ("train.epochs=true", "train.epochs: .*integer"),
        ("train.warmup_epochs=20", "train: warmup_epochs must be less than the 20 epochs"),
        ("prune.sparsities=[0.8, 0.5]", "prune: sparsities must rise"),
        ("train.epochs", "Expected key=value"),
    ],
)
def test_a_wrong_override_is_refused_with_its_key(assignment, message):
    with pytest.raises(ValueError, match=message) as caught:
        override(Recipe(), [assignment])
    assert "\n" not in str(caught.value)


def test_a_key_of_a_section_that_is_left_out_says_so():
    with pytest.raises(ValueError, match="leaves the section 'prune' out"):
        override(Recipe(prune=None), ["prune.epochs=3"])


def test_a_recipe_file_of_ones_own(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("from kcnn.recipe import Recipe\nrecipe = Recipe(seed=7)\n")
    assert recipe_files.load(str(file)).recipe.seed == 7
    assert recipe_files.load(str(file)).name == "mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "defines no `recipe"),
        ("recipe = (\n", "SyntaxError"),
        ("from kcnn.recipe import Train\nTrain(epochs=0)\n", "greater than or equal to 1"),
    ],
)
def test_a_broken_recipe_file_is_refused_in_one_line(tmp_path, text, message):
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        recipe_files.load(str(file))
    assert "\n" not in str(caught.value)
