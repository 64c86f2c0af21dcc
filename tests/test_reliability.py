"""RELIABILITY.md names tests that exist and has the figures of the campaign."""

import ast
import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ("RELIABILITY.md", "SECURITY.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_named_test_exists(page):
    named = re.findall(r"`(tests/\w+\.py)::(\w+)`", (ROOT / page).read_text())
    assert len(named) > 5
    for file, test in named:
        tree = ast.parse((ROOT / file).read_text())
        functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
        assert test in functions, f"{page} names {file}::{test}"
        marks = map(ast.unparse, functions[test].decorator_list)
        assert "pytest.mark.campaign" not in marks, f"CI leaves {file}::{test} out"


def test_every_promise_has_a_test():
    promises = (ROOT / "RELIABILITY.md").read_text().partition("## Promises")[2]
    rows = re.findall(r"^\| (.*) \|$", promises.partition("Not promised")[0], re.MULTILINE)[2:]
    assert len(rows) > 20
    for row in rows:
        assert re.search(r"\| `tests/\w+\.py::\w+`$", row), row


def test_the_figures_are_those_of_the_files():
    path = ROOT / "docs/update_reliability.py"
    spec = importlib.util.spec_from_file_location("update_reliability", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = script.PAGE.read_text()
    assert script.update(page) == page
    assert "<!-- campaign -->\n\n**Kills.**" in page


def test_the_campaign_found_nothing_lost():
    report = json.loads((ROOT / "docs/campaign.json").read_text())
    assert report.keys() == {"faults", "load", "damaged_files", "kills"}
    assert all(part["held"] for part in report.values())
    assert sum(each["files"] for each in report["damaged_files"]["found"].values()) > 100_000
    kills = report["kills"]["found"].values()
    assert sum(each["kills"] for each in kills) > 100
    assert sum(each["in_saves"] for each in kills) > sum(each["kills"] for each in kills) / 2
    overhead = json.loads((ROOT / "benchmarks/checkpoints.json").read_text())["overhead"]
    assert overhead < 0.02
