"""A user's own code, found by "module:function"."""

import sys

import pytest

from kcnn.own_code import importable, is_own, resolve


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder, from which modules named own_* are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


def test_a_module_in_the_current_folder_is_found_and_the_path_stays_as_it_was(here):
    (here / "own_package").mkdir()
    (here / "own_package" / "nets.py").write_text("def tiny():\n    return 'tiny'\n")
    before = list(sys.path)
    assert resolve("own_package.nets:tiny", "network")() == "tiny"
    assert sys.path == before


def test_a_module_beside_the_recipe_is_found(here):
    folder = here / "recipes"
    folder.mkdir()
    (folder / "own_beside.py").write_text("value = 3\n")
    with pytest.raises(ValueError, match="no module 'own_beside'"):
        resolve("own_beside:value", "stage")
    before = list(sys.path)
    with importable(folder):
        assert resolve("own_beside:value", "stage") == 3
    assert sys.path == before


@pytest.mark.parametrize("place", ["nets", "nets:", ":tiny", "a b:tiny", "nets:tiny()", "a..b:c"])
def test_a_malformed_place_is_refused(place):
    with pytest.raises(ValueError, match=r"Own network must be 'module:function'\. Received: '"):
        resolve(place, "network")


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("", "own_missing:f", "no module 'own_missing' in the current folder"),
        ("", "own_module.nets:f", "no module 'own_module.nets'|not a package"),
        ("import own_else", "own_module:f", "importing 'own_module' failed: No module named"),
        ("1 / 0", "own_module:f", "importing 'own_module' failed: ZeroDivisionError: division"),
        ("def", "own_module:f", "importing 'own_module' failed: SyntaxError"),
        ("def tiny(): ...", "own_module:tinny", "has no 'tinny'. Did you mean 'tiny'"),
        ("", "own_module:tiny", "module 'own_module' has no 'tiny'.$"),
    ],
)
def test_the_reason_is_one_line(here, text, place, reason):
    (here / "own_module.py").write_text(text)
    with pytest.raises(ValueError, match=reason) as error:
        resolve(place, "network")
    assert "\n" not in str(error.value) and place in str(error.value)


def test_only_a_colon_makes_a_name_ones_own():
    assert is_own("nets:tiny") and not is_own("resnet20")
