"""README.md and docs/: their tables, links and commands are what they say."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import typer

import kcnn
from kcnn import recipe, recipe_files
from kcnn.cli.commands import app

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def script(name):
    """Return a script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_table_is_the_reports():
    tables = script("update_tables")
    filled = [page for page in tables.documents() if "<!-- report " in page.read_text()]
    assert ROOT / "README.md" in filled
    assert len(filled) > 3
    for page in tables.documents():
        text = page.read_text(encoding="utf-8")
        assert tables.update_tables(text) == text, f"{page.name}: run python docs/update_tables.py"


@pytest.mark.parametrize("page", ["commands", "settings"])
def test_the_reference_is_what_the_code_says(page):
    written = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
    assert written == getattr(script("update_reference"), page)(), (
        "run python docs/update_reference.py"
    )


def test_the_reference_names_every_setting():
    values = recipe.to_values(recipe.Recipe(train=recipe.Train(optimizer="muon")))
    page = (ROOT / "docs/settings.md").read_text()
    for section, fields in values.items():
        assert f"| `{section}` |" in page
        for field in fields if isinstance(fields, dict) else ():
            assert f"| `{section}.{field}` |" in page


def anchors(page):
    """Return the anchors of a page's headings, as hosts of repositories and the site make them."""
    titles = re.findall(r"^#+ (.*)$", _FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name):
    page = ROOT / name
    text = re.sub(r"`[^`\n]*`", "", _FENCED.sub("", page.read_text()))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors(found), f"{name} links to {target}"


def test_the_links_that_lead_out_are_written_well():
    links = script("check_links")
    text = "(https://a.org/b_(c)), https://a.org/d. <https://a.org/e> [x](https://f.gh) **https://i.jk**"
    expected = ["https://a.org/b_(c)", "https://a.org/d", "https://a.org/e", "https://f.gh"]
    assert list(links.links(text)) == [*expected, "https://i.jk"]
    wrong = ("http://a.org", "https://a/b", "https://a.org/b-", "https://arxiv.org/pdf/1512.03385")
    assert all(map(links.fault, wrong))
    found = links.outside()
    assert len(found) > 50
    assert not {link: links.fault(link) for link in found if links.fault(link)}


def commands(page):
    """Return the kcnn commands of a page: words, and whether it says that they are refused."""
    text = page.read_text().replace("\\\n", " ")
    lines = re.findall(r"^    ((?:\S+=\S+ )*kcnn .*|.*&& kcnn .*)$", text, re.MULTILINE)
    for line in lines:
        for part in line.partition("  #")[0].split("&&"):
            words = [each for each in shlex.split(part) if "KERAS_BACKEND=" not in each]
            if words[0] == "kcnn":
                yield words[1:], "# refused" in line


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_options_and_settings_that_exist(name):
    group = typer.main.get_command(app)
    for words, refused in commands(ROOT / name):
        command, rest = group.commands[words[0]], words[1:]
        values = command.make_context(words[0], rest).params
        if "recipe" in values:
            content = recipe_files.load(values["recipe"]).content
            assignments = list(values.get("assignments") or ())
            if refused:
                with pytest.raises(ValueError, match="means nothing"):
                    recipe.override(content, assignments)
            elif isinstance(content, recipe.Recipe):
                recipe.override(content, assignments)


def test_the_pages_have_commands():
    count = {name: len(list(commands(ROOT / name))) for name in NAMES}
    assert count["README.md"] > 5
    assert sum(count.values()) > 40


def test_the_site_has_a_page_of_every_package():
    pages = "".join(page.read_text() for page in ROOT.glob("docs/api/*.md"))
    for name in kcnn.__all__:
        if (ROOT / "kcnn" / name).is_dir() or (ROOT / f"kcnn/{name}.py").is_file():
            assert f".. automodule:: kcnn.{name}\n" in pages, f"write docs/api/{name}.md"


def test_every_page_is_in_the_contents():
    contents = (ROOT / "docs/contents.md").read_text().splitlines()
    listed = {line.rpartition("<")[2].rstrip(">") for line in contents}
    for page in ROOT.glob("docs/*.md"):
        assert page.stem in listed | {"contents"}, f"add {page.stem} to docs/contents.md"


def test_the_readmes_say_the_same():
    english, korean = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ko.md")
    )
    for part in (_shown_commands, _code_without_comments, _targets, _numbers):
        assert part(korean) == part(english)


def _shown_commands(text):
    return re.findall(r"^    .*$|`(?:kcnn|pip|python) [^`]*`", text, re.MULTILINE)


def _code_without_comments(text):
    return re.sub(r" +#.*", "", "".join(_FENCED.findall(text)))


def _targets(text):
    return re.findall(r"\]\(([^)]+)\)", re.sub(r"\(README(\.ko)?\.md\)", "", text))


def _numbers(text):
    return set(re.findall(r"\d+(?:[.,]\d+)*", text))
