"""What is refused is refused in one line of our own words, also where pydantic finds it."""

import errno
import os

import pytest
from pydantic import ValidationError

from kcnn import comparison, recipe, recipe_files
from kcnn.cli.failure import failure_line
from kcnn.comparison import Comparison
from kcnn.errors import invalid, one_line
from kcnn.recipe import Data, Model, QuantizeAware, Recipe, Train


def refused(make, **values):
    with pytest.raises(ValidationError) as caught:
        make(**values)
    return one_line(caught.value, limit=10_000)


@pytest.mark.parametrize(
    "make, values, text",
    [
        (Train, {"epochs": 0}, "epochs must be at least 1. Received: 0"),
        (Train, {"epochs": "five"}, "epochs must be an integer. Received: 'five'"),
        (Train, {"epocs": 5}, "epocs is not a known key."),
        (Train, {"learning_rate": 0}, "learning_rate must be above 0. Received: 0"),
        (
            Train,
            {"optimizer": "adma"},
            "optimizer must be 'adam', 'adamw', 'muon', 'rmsprop' or 'sgd'. Received: 'adma'",
        ),
        (Data, {"name": 3}, "name must be text. Received: 3"),
        (Data, {"validation": 1.5}, "validation must be below 1. Received: 1.5"),
        (Data, {"image_size": [32]}, "image_size.1 is missing."),
        (
            Model,
            {"options": 3},
            "options must be a dictionary. Received: 3",
        ),
        (
            Recipe,
            {"train": 7},
            "train must be a Train or a dictionary of its fields. Received: 7",
        ),
        (
            Recipe,
            {"train": Data()},
            "train must be a Train or a dictionary of its fields. Received: Data",
        ),
        (
            Recipe,
            {"quantize_aware": QuantizeAware(), "quantize": None},
            "recipe: quantize_aware is for the int8 file that the section quantize writes: "
            "keep both.",
        ),
        (
            Comparison,
            {"question": "?", "variants": {"a": Recipe()}},
            "variants must have 2 or more entries. Received: 1",
        ),
    ],
)
def test_an_objection_of_pydantic_is_one_line_of_ours(make, values, text):
    assert refused(make, **values) == text


def test_a_recipe_inside_a_comparison_is_refused_as_clearly():
    wrong = {"quantize_aware": {}, "quantize": None}
    text = refused(Comparison, question="?", variants={"a": wrong, "b": {}})
    assert text.startswith("variants.a: quantize_aware is for the int8 file")
    assert "http" not in text and "pydantic" not in text


@pytest.mark.parametrize("room, what", [(recipe, "recipe"), (comparison, "comparison")])
def test_a_file_of_the_wrong_kind(room, what):
    with pytest.raises(ValueError, match=f"^{what} must be a .* Received: 7$"):
        room.from_json("7")


def test_other_objections_keep_pydantics_reason_in_one_line():
    from pydantic import TypeAdapter

    with pytest.raises(ValidationError) as caught:
        TypeAdapter(dict[str, int]).validate_json("{")
    assert str(invalid(caught.value, "bundle")).startswith("bundle is not valid: Invalid JSON")


def test_a_long_value_is_cut():
    text = refused(Data, name=list(range(1000)))
    assert text.endswith("...") and len(text) < 130


def test_a_recipe_file_says_which_setting_is_wrong(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from kcnn.recipe import Recipe, Train\nrecipe = Recipe(train=Train(epochs=0))\n"
    )
    with pytest.raises(ValueError) as caught:
        recipe_files.load(str(file))
    assert str(caught.value) == f"{file}: epochs must be at least 1. Received: 0"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
def test_a_full_disk_is_said_with_what_to_do(number):
    line = failure_line(OSError(number, os.strerror(number), "run/best.keras"))
    assert "'run/best.keras'" in line
    assert line.endswith("Free some room and run the same command again.")
