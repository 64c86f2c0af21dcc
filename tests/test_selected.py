"""Some classes of a data set, or a few training images of each."""

import numpy as np
import pytest

from kcnn import data
from kcnn.data.digits import Digits
from kcnn.data.selected import Selected
from kcnn.recipe import Data, Recipe, from_json, override, to_json


def whole():
    return data.load_arrays(Digits())


def images_of(arrays, label):
    """Return all images of a class, whatever their part."""
    parts = (arrays.train, arrays.validation, arrays.test)
    return {image.tobytes() for part in parts for image in part.images[part.labels == label]}


def test_the_images_of_the_named_classes_stay_in_the_order_of_the_names():
    every = whole()
    found = data.load_arrays(data.source("digits", classes=("8", "3")))
    assert found.class_names == ("8", "3")
    for part in ("train", "validation", "test"):
        assert set(np.unique(getattr(found, part).labels)) == {0, 1}
    assert images_of(found, 0) == images_of(every, 8)
    assert images_of(found, 1) == images_of(every, 3) and len(images_of(every, 3)) > 100


def test_few_labels_leave_the_test_images_whole_and_do_not_depend_on_the_seed():
    every, few = whole(), Selected(Digits(), per_class=5)
    found = [data.load_arrays(few, validation=0.2, seed=seed) for seed in (0, 1)]
    for each in found:
        assert (len(each.train), len(each.validation)) == (40, 10)
        assert set(np.bincount(each.train.labels)) == {4}
        np.testing.assert_array_equal(each.test.images, every.test.images)
    of_both = [
        {image.tobytes() for part in (each.train, each.validation) for image in part.images}
        for each in found
    ]
    assert of_both[0] == of_both[1] and len(of_both[0]) == 50


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"classes": ("3", "elf")}, "Unknown class 'elf'"),
        ({"classes": ("3", "3")}, "classes must be at least two different names. Received: 3, 3"),
        ({"classes": ("3",)}, "at least two different names"),
        ({"per_class": 1000}, "Class '0' has .* training images. Received: per_class=1000"),
        ({"per_class": 0}, "per_class must be"),
    ],
)
def test_what_cannot_be_selected_is_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        data.load(data.source("digits", **options))


def test_a_recipe_can_name_them():
    recipe = override(Recipe(), ['data.classes=["cat", "dog"]', "data.per_class=50"])
    assert recipe.data == Data(classes=("cat", "dog"), per_class=50)
    assert from_json(to_json(recipe)) == recipe
    with pytest.raises(ValueError, match="data.classes"):
        override(Recipe(), ['data.classes=["cat"]'])
