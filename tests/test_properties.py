"""What holds for every input of a parser, a check or a writer, tried on many by Hypothesis."""

import io
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kcnn.bundle.manifest import read
from kcnn.cli.console import TextConsole, printable
from kcnn.data.checks import check_labels
from kcnn.literals import c_string, kotlin_string, swift_string
from kcnn.pipeline.journal import Journal
from kcnn.recipe import Distill, Recipe, from_json, override, to_json
from kcnn.run_dir import RunDir

always = settings(derandomize=True, database=None, deadline=None, max_examples=200)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FULL = Recipe(distill=Distill(teacher="runs/teacher"))


def keys(values, prefix=""):
    for name, value in values.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{name}.")


KEYS = sorted(keys(json.loads(to_json(FULL))))
WORDS = st.sampled_from(["none", "9" * 5000, "[" * 5000, "1e999", "NaN", "0x10", "'a'", "cosine"])


@always
@given(
    st.sampled_from(KEYS) | st.text(max_size=20),
    VALUES.map(json.dumps) | st.text(max_size=20) | WORDS,
)
def test_an_override_is_refused_by_its_key_or_kept_in_the_recipe(key, value):
    try:
        recipe = override(FULL, [f"{key}={value}"])
    except ValueError as error:
        text = str(error)
        assert len(text.splitlines()) == 1
        name = key.partition("=")[0].strip()
        assert name.partition(".")[0] in text or repr(name)[1:-1] in text
    else:
        assert from_json(to_json(recipe)) == recipe


@always
@given(VALUES.map(json.dumps) | st.text())
def test_a_text_is_a_recipe_or_refused_in_one_line(text):
    try:
        recipe = from_json(text)
    except ValueError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert from_json(to_json(recipe)) == recipe


@always
@given(
    arrays.arrays(
        arrays.integer_dtypes() | arrays.unsigned_integer_dtypes() | arrays.floating_dtypes(),
        st.integers(0, 6),
    )
    | arrays.arrays(np.int64, st.integers(0, 6), elements=st.integers(-2, 4)),
    st.just(3) | st.none() | st.integers(1, 300),
    st.integers(-1, 0),
)
def test_labels_are_kept_or_refused_by_name(labels, num_classes, lowest):
    try:
        checked = check_labels("labels", labels, len(labels), num_classes, lowest=lowest)
    except ValueError as error:
        assert str(error).startswith("labels must be") and len(str(error).splitlines()) == 1
        whole = np.issubdtype(labels.dtype, np.integer)
        highest = np.iinfo(np.int32).max if num_classes is None else num_classes
        assert not whole or any(not lowest <= int(each) < highest for each in labels)
    else:
        assert checked.dtype == np.int32
        assert checked.tolist() == labels.tolist()
        assert all(lowest <= each < (num_classes or 2**31) for each in checked.tolist())


LABELS = st.text() | st.text(alphabet="?=/'()!<>-\\\"$u{}0123n\n\0\u202e😀", max_size=12)
TRIGRAPHS = dict(zip("=/'()!<>-", "#\\^[]|{}~", strict=True))


def c_text(literal):
    """Return what a compiler of C reads, which replaces trigraphs first."""
    source = re.sub(r"\?\?([=/'()!<>-])", lambda found: TRIGRAPHS[found[1]], literal)
    assert re.fullmatch(r'"([^"\\\n]|\\[\\"?]|\\[0-7]{3})*"', source)
    content = re.sub(
        rb"\\([0-7]{3}|.)",
        lambda found: bytes([int(found[1], 8)]) if len(found[1]) == 3 else found[1],
        source[1:-1].encode(),
    )
    return content.decode()


def kotlin_text(literal):
    assert re.fullmatch(r'"([^"\\\n$]|\\[\\"$]|\\u[0-9a-f]{4})*"', literal)
    content = re.sub(
        r"\\(u[0-9a-f]{4}|.)",
        lambda found: chr(int(found[1][1:], 16)) if len(found[1]) == 5 else found[1],
        literal[1:-1],
    )
    return content.encode("utf-16", "surrogatepass").decode("utf-16")


def swift_text(literal):
    assert re.fullmatch(r'"([^"\\\n]|\\[\\"]|\\u\{[0-9a-f]{1,8}\})*"', literal)
    return re.sub(
        r"\\(u\{([0-9a-f]+)\}|.)",
        lambda found: chr(int(found[2], 16)) if found[2] else found[1],
        literal[1:-1],
    )


@always
@pytest.mark.parametrize(
    "write, compiled",
    [(c_string, c_text), (kotlin_string, kotlin_text), (swift_string, swift_text)],
)
@given(label=LABELS)
def test_a_compiler_reads_the_label_that_was_written(write, compiled, label):
    literal = write(label)
    assert literal.isprintable()
    assert compiled(literal) == label


@always
@given(st.text() | st.text(alphabet="[]/:redbolink=\x1b\x9b\x07\r\u202e\u2066\\m1;", max_size=30))
def test_the_console_prints_text_without_markup_or_control_characters(text):
    shown = printable(text)
    assert all(each.isprintable() or each in "\n\t" or ord(each) > 0x9F for each in shown)
    assert not set(shown) & set("\u200e\u200f\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069")
    assert printable(shown) == shown
    plain = text.replace("\t", " ")
    written = io.StringIO()
    TextConsole(file=written, soft_wrap=True, force_terminal=True, color_system="truecolor").print(
        plain, end=""
    )
    assert written.getvalue() == printable(plain)


@always
@given(VALUES.map(json.dumps) | st.text())
def test_any_text_in_the_place_of_a_journal_or_a_manifest_is_refused_by_name(
    tmp_path_factory, text
):
    folder = tmp_path_factory.getbasetemp()
    for name in ("run.json", "bundle.json"):
        (folder / name).write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(ValueError, match="run.json"):
        Journal.read(RunDir(folder))
    with pytest.raises(ValueError, match=r"bundle\.json"):
        read(folder)
