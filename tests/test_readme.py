"""The script that checks the documents' code, and the citation."""

import importlib.util
from pathlib import Path

import pytest

import kcnn

ROOT = Path(__file__).parent.parent


@pytest.fixture
def script():
    """Return a function that loads a script of docs/."""

    def load(name):
        spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def test_code_blocks_keep_their_line_numbers_for_the_type_checker(script):
    document = (
        "# Title\n\n```python\none = 1\ntwo = 2\n```\n\n    a shell command\n\n"
        "```python\nthree = 3\n```\n"
    )
    lines = script("check_examples").code(document).splitlines()
    assert lines[0] == "import kcnn"
    shown = document.splitlines()
    assert {number: line for number, line in enumerate(lines) if line and number} == {
        number: line for number, line in enumerate(shown) if " = " in line
    }


def test_the_citation_is_of_this_version():
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {kcnn.__version__}\n" in citation
