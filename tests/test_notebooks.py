"""The course in notebooks/: built from its sources, and every number in its prose is asserted.

`pytest --nbmake notebooks` executes it; these tests execute nothing.
"""

import ast
import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
SOURCES = sorted(FOLDER.glob("0*.py"))

# Parts of the prose whose numbers do not count: code, formulas, addresses, the numbers of headings
# and lists, names such as ResNet-20 and int8, sizes such as 3x3.
_OTHERS = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|^#+ .*?$|^\d+\. |"
    r"\b\d+x\d+\b|[A-Za-z]+-?\d+\b|\bin (?:19|20)\d\d\b",
    re.DOTALL | re.MULTILINE,
)
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sections(notebook):
    """Yield each section, from one heading to the next, as its prose and its code."""
    prose, code = [], []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            code.append(cell.source)
            continue
        first, *others = re.split(r"^(?=## )", cell.source, flags=re.MULTILINE)
        prose.append(first)
        for other in others:
            yield "\n".join(prose), "\n".join(code)
            prose, code = [other], []
    yield "\n".join(prose), "\n".join(code)


def stated(prose):
    """Return the numbers in the prose, except those of exercises, which claim nothing."""
    if prose.startswith("## Exercises"):
        return set()
    return {float(each.replace(",", "")) for each in _NUMBER.findall(_OTHERS.sub(" ", prose))}


def asserted(code):
    """Return the numbers in the assertions of the code."""
    found = set()
    for statement in ast.walk(ast.parse(code)):
        if isinstance(statement, ast.Assert):
            constants = [n.value for n in ast.walk(statement) if isinstance(n, ast.Constant)]
            found |= {abs(float(n)) for n in constants if isinstance(n, int | float)}
    return found


def test_a_number_that_nothing_asserts_is_found():
    prose = "## 3 things\nResNet-20 of 3x3 in `f(7)`: 1,342 bytes, 79.95 % on 5 images, −4, $n^2$."
    assert stated(prose) == {1342, 79.95, 5, 4}
    assert asserted("x = 5\nassert size == 1_342 and round(100 * x, 2) == 79.95") == {
        *(1342, 79.95, 100, 2)
    }


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_number_in_the_prose_is_asserted_beside_it(build, source):
    for prose, code in sections(build.notebook(source)):
        known = asserted(code)
        missing = {n for n in stated(prose) if n not in known and round(n / 100, 6) not in known}
        assert not missing, f"{source.name}, {prose.splitlines()[0]}: {sorted(missing)}"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_notebook_is_its_source_executed(build, source):
    made = build.notebook(source)
    file = source.with_suffix(".ipynb")
    kept = nbformat.read(file, as_version=4)
    nbformat.validate(kept)
    cells = [(cell.cell_type, cell.id, cell.source) for cell in made.cells]
    hint = f"{file.name} is not up to date. Run: python notebooks/build.py {source.stem}"
    assert [(cell.cell_type, cell.id, cell.source) for cell in kept.cells] == cells, hint
    assert kept.metadata == made.metadata
    code = [cell for cell in kept.cells if cell.cell_type == "code"]
    # From top to bottom, in a new kernel.
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    outputs = [output for cell in code for output in cell.outputs]
    assert not {output.output_type for output in outputs} & {"error"}
    assert not {output.get("name") for output in outputs} & {"stderr"}
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
    assert file.stat().st_size < 400_000
    assert "/tmp/" not in file.read_text() and "/home/" not in file.read_text()


def test_there_are_five_notebooks():
    assert [path.stem for path in SOURCES] == [
        "01_convolution",
        "02_train_cifar10",
        "03_deep_networks",
        "04_compress_for_mobile",
        "05_look_inside",
    ]
    assert sorted(FOLDER.glob("*.ipynb")) == [path.with_suffix(".ipynb") for path in SOURCES]
