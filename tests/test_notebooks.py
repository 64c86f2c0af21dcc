"""The course in notebooks/: two languages from one source, and every number in it is asserted.

`python notebooks/build.py --check` executes it, with its assertions; these tests execute nothing.
"""

import ast
import importlib.util
import json
import re
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from matplotlib.figure import Figure

from kcnn.fonts import quiet

FOLDER = Path(__file__).parent.parent / "notebooks"
SOURCES = sorted((FOLDER / "lessons").glob("[0-9]*.py"))
LANGUAGES = ("en", "ko")
each_lesson = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)

# Parts of the prose whose numbers do not count: code, formulas, addresses, the numbers of headings
# and lists, names such as ResNet-20 and int8, sizes such as 3x3, dimensions such as 3-D, years.
_OTHERS = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|^#+ .*?$|^\d+\. |"
    r"(?<!\w)\d+(?:x\d+)+|[A-Za-z]+-?\d+(?!\d|\.\d)|\d(?:-D|차원)|"
    r"(?<![\d.,])(?:19|20)\d\d(?![\d,.]\d)|문제 \d|Exercise \d",
    re.DOTALL | re.MULTILINE,
)
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]+\$", re.DOTALL)
_HANGUL = re.compile(r"[가-힣]")


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def imported(name):
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def exercises():
    return imported("exercises")


@pytest.fixture
def figures():
    return imported("figures")


def sections(cells):
    """Yield each section, from one heading to the next, as its English prose and its code."""
    prose, code = [], []
    for role, text in cells:
        if role in ("code", "assert"):
            code.append(text)
        elif role == "en":
            first, *others = re.split(r"^(?=## )", text, flags=re.MULTILINE)
            prose.append(first)
            for other in others:
                yield "\n".join(prose), "\n".join(code)
                prose, code = [other], []
    yield "\n".join(prose), "\n".join(code)


def stated(prose):
    """Return the numbers in prose of either language; "3 million" and "3백만" are 3,000,000."""
    prose = _OTHERS.sub(" ", prose)
    numbers = set()
    for pattern, factor in ((r"([\d.]+) million", 10**6), (r"(\d+)억 (\d+)만", None)):
        for found in re.finditer(pattern, prose):
            parts = [float(each) for each in found.groups()]
            numbers.add(parts[0] * factor if factor else parts[0] * 10**8 + parts[1] * 10**4)
        prose = re.sub(pattern, " ", prose)
    for unit, factor in (("천만", 10**7), ("백만", 10**6), ("만", 10**4)):
        numbers |= {float(each) * factor for each in re.findall(rf"(\d+){unit}(?!큼)", prose)}
        prose = re.sub(rf"\d+{unit}(?!큼)", " ", prose)
    return numbers | {float(each.replace(",", "")) for each in _NUMBER.findall(prose)}


def asserted(code):
    """Return the numbers in the assertions of the code."""
    found = set()
    for statement in ast.walk(ast.parse(code)):
        if isinstance(statement, ast.Assert):
            constants = [n.value for n in ast.walk(statement) if isinstance(n, ast.Constant)]
            found |= {abs(float(n)) for n in constants if isinstance(n, int | float)}
    return found


def pairs(cells):
    """Return the cells of prose as pairs: English, Korean."""
    prose = [(role, text) for role, text in cells if role in LANGUAGES]
    assert [role for role, _ in prose] == list(LANGUAGES) * (len(prose) // 2)
    texts = [text for _, text in prose]
    return list(zip(texts[::2], texts[1::2], strict=True))


def comparable(prose):
    """Return the numbers that both languages must state; a fraction counts by its denominator."""
    for word, number in (("sixth", 6), ("fifth of", 5), ("quarter", 4), ("third of", 3)):
        prose = re.sub(rf"\ba {word}\b", f"{number} ", prose)
    numbers = stated(re.sub(r"(\d+)분의 1", r"\1 ", prose))
    return numbers - {0, 1}  # in English these are often words


def test_a_number_that_nothing_asserts_is_found():
    prose = "## 3 things\nResNet-20 of 3x3 in `f(7)`: 1,342 bytes, 79.95 % on 5 images, −4, $n^2$."
    assert stated(prose) == {1342, 79.95, 5, 4}
    assert stated("5x5 in 2014, 14.7 million of 3") == {14.7e6, 3}
    assert stated("2014년에 5x5, ResNet-20은 3억 1300만 번, 5천만 개, 7에포크") == {
        *(313e6, 50e6, 7)
    }
    assert asserted("x = 5\nassert size == 1_342 and round(100 * x, 2) == 79.95") == {
        *(1342, 79.95, 100, 2)
    }


@each_lesson
def test_every_number_in_the_prose_is_asserted_beside_it(build, source):
    for prose, code in sections(build.cells(source)):
        if prose.startswith("## Exercises"):
            continue  # these claim nothing
        known = asserted(code)
        missing = {n for n in stated(prose) if n not in known and round(n / 100, 6) not in known}
        assert not missing, f"{source.name}, {prose.splitlines()[0]}: {sorted(missing)}"


def names(code):
    """Return the names that code reads, and those that it sets."""
    read, made = set(), set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            made.add(node.name)
        elif isinstance(node, ast.arg):
            made.add(node.arg)
        elif isinstance(node, ast.alias):
            made.add((node.asname or node.name).split(".")[0])
    return read, made


@each_lesson
def test_what_is_shown_runs_without_what_is_not(build, source):
    """Neither a missing nor another value, where an assertion or a solution was not executed."""
    hidden = set()
    for role, text in build.cells(source):
        if role in ("code", "exercise", "assert", "solution"):
            read, made = names(text)
            if role in ("assert", "solution"):
                hidden |= made
            else:
                assert not (read - made) & hidden, (source.name, text[:100])
                hidden -= made


@each_lesson
def test_both_languages_say_the_same_numbers_and_formulas(build, source):
    for english, korean in pairs(build.cells(source)):
        assert _HANGUL.search(korean) and not _HANGUL.search(english)
        where = f"{source.name}: {english[:80]!r}"
        assert comparable(korean) == comparable(english), where
        assert set(_FORMULA.findall(korean)) == set(_FORMULA.findall(english)), where
        for mark in ("## ", "* "):
            count = [len(re.findall(rf"^{re.escape(mark)}", t, re.M)) for t in (english, korean)]
            assert count[0] == count[1], where


def said(output):
    """Return an output without its picture, whose labels are in the notebook's language."""
    data = output.get("data", {})
    assert {*data} <= {"image/png", "text/plain"}
    return output | {"data": {**data, "image/png": "image/png" in data}} if data else output


@each_lesson
def test_the_notebooks_are_their_source_executed(build, source):
    roles = [role for role, _ in build.cells(source) if role in ("code", "exercise")]
    executed = {}
    for language in LANGUAGES:
        file = FOLDER / language / f"{source.stem}.ipynb"
        kept, made = nbformat.read(file, as_version=4), build.notebook(source, language)
        nbformat.validate(kept)
        hint = f"{file} is not up to date. Run: python notebooks/build.py {source.stem}"
        cells = [(cell.cell_type, cell.id, cell.source) for cell in made.cells]
        assert [(cell.cell_type, cell.id, cell.source) for cell in kept.cells] == cells, hint
        assert kept.metadata == made.metadata
        executed[language] = [cell for cell in kept.cells if cell.cell_type == "code"]
        assert file.stat().st_size < 450_000
        assert "/tmp/" not in file.read_text() and "/home/" not in file.read_text()
    for english, korean in zip(*executed.values(), strict=True):
        assert english.source == korean.source
        assert [*map(said, english.outputs)] == [*map(said, korean.outputs)]
    shown = [c for c, role in zip(executed["en"], roles, strict=True) if role == "code"]
    assert [cell.execution_count for cell in shown] == [*range(1, len(shown) + 1)]
    for cell in shown:
        assert cell.outputs, f"This cell of {source.name} shows nothing:\n{cell.source}"
        assert "assert " not in cell.source
    outputs = [output for cell in shown for output in cell.outputs]
    assert not {output.output_type for output in outputs} & {"error"}
    assert not {output.get("name") for output in outputs} & {"stderr"}
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_lessons_import_is_there(language):
    tools = (FOLDER / "lesson_tools.py").read_text(encoding="utf-8")
    there = set(ast.literal_eval(re.search(r"__all__ = (\[.*?\])", tools, re.DOTALL)[1]))
    course = (FOLDER / language / "course.py").read_text(encoding="utf-8")
    assert '__all__ = ["check"]\n__all__ += lesson_tools.__all__' in course
    there.add("check")
    for source in SOURCES:
        imports = re.findall(r"^from course import (.*)$", source.read_text(encoding="utf-8"), re.M)
        imported = {name.strip() for names in imports for name in names.split(",")}
        assert imported and imported <= there, source.name


def test_there_is_a_notebook_of_each_lesson_in_both_languages():
    assert len(SOURCES) == 11
    for language in LANGUAGES:
        made = sorted(path.stem for path in (FOLDER / language).glob("*.ipynb"))
        assert made == [path.stem for path in SOURCES]
    modules = [(FOLDER / language / "course.py").read_text() for language in LANGUAGES]
    assert modules[0].replace("English", "Korean").replace('"en"', '"ko"') == modules[1]


def test_each_lesson_has_three_exercises_with_solutions(build, exercises):
    asked = []
    for source in SOURCES:
        cells = build.cells(source)
        names = {role: [] for role in ("exercise", "solution")}
        for role, text in cells:
            if role in names:
                names[role] += re.findall(r'^check\("([^"]+)"', text, re.M)
                assert role == "solution" or "..." in text
        assert names["exercise"] == names["solution"] and len(names["exercise"]) == 3, source.name
        asked += names["exercise"]
    assert sorted(asked) == sorted(exercises.EXERCISES)


WRONG = (
    *(
        None,
        "",
        "no such word",
        -1,
        10**9,
        0.123,
        float("nan"),
        float("inf"),
        1j,
        [],
        [[1, 2], [3]],
    ),
    *(
        np.zeros((3, 3)),
        np.array([]),
        {"a": 1},
        object(),
        lambda: 1,
        lambda *a: None,
        lambda *a: "x",
    ),
)


def test_any_wrong_answer_is_told_what_is_wrong_in_both_languages(exercises, capsys):
    for name, exercise in exercises.EXERCISES.items():
        assert _HANGUL.search(exercise.hint[1]) or exercise.hint[0] == exercise.hint[1]
        for answer in WRONG:
            exercises.check("en", name, answer)
            english = capsys.readouterr().out
            exercises.check("ko", name, answer)
            korean = capsys.readouterr().out
            assert english.startswith("✗ ") and "Hint: " in english, (name, answer)
            assert not _HANGUL.search(english) and _HANGUL.search(korean), (name, answer)


def test_what_check_says(exercises, capsys):
    def said(language, name, answer):
        exercises.check(language, name, answer)
        return capsys.readouterr().out

    assert said("en", "conv parameters", 51_264) == "✓ Correct.\n"
    assert said("ko", "conv parameters", np.int64(51_264)) == "✓ 정답입니다.\n"
    assert "forgot the biases" in said("en", "conv parameters", 51_200)
    assert "편향을 빠뜨렸습니다" in said("ko", "conv parameters", 51_200)
    assert "Replace each ..." in said("en", "conv parameters", ...)
    assert "still" not in said("en", "output size", lambda *_: 30)
    assert "returns 30; expected 32." in said("en", "output size", lambda *_: 30)
    assert "which is no number" in said("en", "top k", lambda *_: "a")
    assert "received ['conv']" in said("en", "order", "conv")
    without_one = said("en", "output size", lambda n, k, p, s, d: (n + 2 * p - d * (k - 1)) // s)
    assert "f(227, 11, 0, 4, 1) returns 54; expected 55." in without_one
    assert said("en", "probability of the truth", 0.5).startswith("✗")  # a guess
    assert "round it" in said("en", "zero point", -128 + 1 / (4 / 255))
    assert "51263 is too small" in said("en", "conv parameters", 51_263)
    with pytest.raises(ValueError, match="no exercise 'blurr'"):
        exercises.check("en", "blurr", 1)


def test_a_function_may_change_its_arguments(exercises, capsys):
    def in_place(x):
        x[x < 0] *= 0.1
        return x

    for _ in range(2):  # the second time from the same arguments
        exercises.check("en", "leaky relu", in_place)
        assert capsys.readouterr().out == "✓ Correct.\n"


def masked(sums, count):
    mask = np.ones(len(sums))
    mask[np.argsort(sums)[:count]] = 0
    return mask


@pytest.mark.parametrize(
    "importance",
    [np.sum, lambda k, axis: (k**2).sum(axis), lambda k, axis: np.abs(k).max(axis)],
    ids=["no magnitudes", "squares", "largest"],
)
def test_a_filter_mask_by_anything_but_magnitudes_is_refused(exercises, importance):
    exercise = exercises.EXERCISES["filter mask"]
    assert exercise.fault(lambda k, count: masked(np.abs(k).sum((0, 1, 2)), count)) is None
    assert exercise.fault(lambda k, count: masked(importance(k, axis=(0, 1, 2)), count))


def test_a_label_is_written_in_korean(figures):
    korean = {
        "epoch": "에포크",
        "frame 4": "프레임 4",
        "frame 5 minus frame 4": "프레임 5 − 프레임 4",
        "conv: 32 x 32 x 16; 2 of 16 channels all zero: 3, 5": (
            "conv: 32 x 32 x 16; 채널 16개 중 2개가 모두 0: 3, 5"
        ),
        "ship, predicted cat": "ship, 예측: cat",
        "ReLU": "ReLU",
        "stage1_block3_relu: 32 x 32 x 16": "stage1_block3_relu: 32 x 32 x 16",
        "block1\nconv\n32x32x16": "block1\nconv\n32x32x16",
        "−0.5": "−0.5",
        "$\\mathdefault{10^{2}}$": "$\\mathdefault{10^{2}}$",
        "손실": "손실",
        "epochs": None,
        "A ship": None,
    }
    assert {label: figures.in_korean(label) for label in korean} == korean
    for english, translated in figures.KOREAN.items():
        holes = len(set(re.findall(r"\{\d\}", translated))) or translated.count("{}")
        assert english.count("{}") == holes, english


@pytest.mark.parametrize("font", [True, False])
def test_every_label_of_a_figure_is_exchanged_if_a_font_has_korean(
    figures, font, monkeypatch, caplog
):
    monkeypatch.setattr(figures, "can_draw", lambda _: font)
    figures._advise.cache_clear()
    figure = Figure()
    axes = figure.subplots()
    axes.plot([0, 1], [1, 10], label="training loss")
    axes.set_yscale("log")
    axes.set_title("frame 4")
    axes.set_xticks([0, 1], ["SGD, momentum 0.9", "Adam"])
    axes.set_ylabel("nobody translated this")
    axes.legend()
    for _ in range(2):  # what is translated once stays
        assert figures.translate(figure) == ["nobody translated this"]
    with quiet():
        figure.draw_without_rendering()
    shown = [
        axes.get_title(),
        axes.get_xticklabels()[0].get_text(),
        axes.get_legend().get_texts()[0].get_text(),
    ]
    words = {
        True: ["프레임 4", "SGD, 모멘텀 0.9", "학습 손실"],
        False: ["frame 4", "SGD, momentum 0.9", "training loss"],
    }
    assert shown == words[font]
    advice = [each.getMessage() for each in caplog.records if "나눔고딕" in each.getMessage()]
    assert len(advice) == (not font)


def test_a_cell_with_another_title_is_refused(build, tmp_path):
    header = SOURCES[0].read_text().split("# %%")[0]
    (tmp_path / "01_x.py").write_text(f"{header}# %% asert\nassert True\n")
    with pytest.raises(ValueError, match="'asert' cell"):
        build.cells(tmp_path / "01_x.py")


def test_the_notebooks_are_plain_json_in_utf8():
    for path in sorted((FOLDER / "ko").glob("*.ipynb")):
        assert _HANGUL.search(path.read_text(encoding="utf-8"))
        json.loads(path.read_text(encoding="utf-8"))


def test_the_mask_in_the_lesson_on_compression_is_pytorchs():
    torch = pytest.importorskip("torch")
    from torch.nn.utils import prune

    with np.load(FOLDER / "data" / "l1_unstructured.npz") as file:
        convolution = torch.nn.Conv2d(8, 16, 3, bias=False)
        convolution.weight.data = torch.tensor(file["weights"])
        prune.l1_unstructured(convolution, "weight", 0.3)
        assert np.array_equal(convolution.weight_mask.numpy(), file["mask"])
