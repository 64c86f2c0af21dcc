"""The settings of Sphinx, which builds the site of the documents.

    pip install -e '.[docs]'
    sphinx-build -c docs . site    # then open site/index.html

CI adds `-W`: a link that leads nowhere, a page that is in no table of contents, a
docstring that cannot be read, and a public name without a docstring's page are then errors. The
Markdown files of the repository are the pages, in their places, so that the same links work on
the site and on a host of repositories. `contents.md` orders them.
"""

import importlib
import inspect
import os
import re
from pathlib import Path
from types import FunctionType, ModuleType
from typing import cast

import latex2mathml.converter
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

import kcnn

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported
logger = logging.getLogger(__name__)

project = "kcnn"
author = "kcnn developers"
version = release = kcnn.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
include_patterns = [
    "README*.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "RELIABILITY.md",
    "SECURITY.md",
    "benchmarks/RESULTS.md",
    "docs/**.md",
    "notebooks/*/*.ipynb",
    "saved_models/*/*.md",
]
exclude_patterns = [".*", "site", "runs", "kcnn", "tests", "build", "dist"]
root_doc = "docs/contents"

html_theme = "furo"
html_title = f"kcnn {release}"
html_static_path, html_css_files = ["static"], ["site.css"]
html_extra_path = ["site_index"]  # index.html, which leads to docs/index.html
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False

myst_heading_anchors = 4  # as a host of repositories makes them
myst_enable_extensions = ["dollarmath", "amsmath"]
html_math_renderer = "mathml"  # which browsers draw by themselves, also without a network
nb_execution_mode = "off"  # the notebooks carry their outputs

smartquotes = False  # two hyphens are an option
default_role = "code"  # one backtick in a docstring is code, as in Markdown
autodoc_default_options = {"members": True, "undoc-members": True, "no-value": True}
autodoc_member_order = "groupwise"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
napoleon_attr_annotations = False  # types are in the signature, with the right links
suppress_warnings = ["myst.header"]  # generated parts begin with smaller headings


def leave_out(
    app: Sphinx, kind: str, name: str, member: object, skip: bool, options: object
) -> bool | None:
    """Leave out fields, which "Attributes" explains, and methods without a docstring."""
    if kind not in ("class", "exception"):
        return None
    is_method = isinstance(member, FunctionType) and "." in member.__qualname__
    is_method = is_method or isinstance(member, property | staticmethod | classmethod)
    return None if is_method and member.__doc__ else True


def add_constants(app: Sphinx, name: str, source: list[str]) -> None:
    """List the constants of a package after its functions and classes, where autodoc omits them."""
    source[0] = re.sub(r"\.\. automodule:: (\S+)\n", _with_constants, source[0])


def _with_constants(directive: re.Match[str]) -> str:
    module = importlib.import_module(directive[1])
    names = [
        name
        for name in getattr(module, "__all__", ())
        if not isinstance(getattr(module, name), type | FunctionType | ModuleType)
    ]
    return directive[0] + "".join(f"\n.. autodata:: {directive[1]}.{name}" for name in names) + "\n"


def add_docstring(
    app: Sphinx, kind: str, name: str, member: object, options: object, lines: list[str]
) -> None:
    """Give a constant the string below its assignment, which stands in another module."""
    if kind == "data":
        module, _, constant = name.rpartition(".")
        lines[:] = _strings_below(module).get(constant, [])


def _strings_below(package: str) -> dict[str, list[str]]:
    """Return the strings below the assignments in a package's modules, by name."""
    file = importlib.import_module(package).__file__ or ""
    modules = [package]
    if Path(file).name == "__init__.py":
        modules += [f"{package}.{path.stem}" for path in sorted(Path(file).parent.glob("[!_]*.py"))]
    strings: dict[str, list[str]] = {}
    for module in modules:
        for (_, name), lines in ModuleAnalyzer.for_module(module).find_attr_docs().items():
            strings.setdefault(name, lines)
    return strings


def search_exactly(app: Sphinx, document: nodes.document) -> None:
    """Let the name of a type mean that type alone: `bytes` is no attribute of that name.

    Sphinx searches everywhere for a name whose node has `refspecific`, also where it is False.
    """
    for node in document.findall(pending_xref):
        if node.get("refspecific") is False:
            del node["refspecific"]


def name_missing(app: Sphinx, environment: BuildEnvironment) -> None:
    """Warn of each public name of a package that no page explains."""
    domain = cast("PythonDomain", environment.get_domain("py"))
    for package in domain.modules:
        for name in getattr(importlib.import_module(package), "__all__", ()):
            known = f"{package}.{name}" in {**domain.objects, **domain.modules}
            if not known and not inspect.ismodule(getattr(importlib.import_module(package), name)):
                logger.warning("no page in docs/api explains %s.%s", package, name)


def draw_formula(translator: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    """Write a formula as MathML."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    translator.body.append(latex2mathml.converter.convert(node.astext(), display=display))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect("source-read", add_constants)
    app.connect("autodoc-skip-member", leave_out)
    app.connect("autodoc-process-docstring", add_docstring)
    app.connect("doctree-read", search_exactly)
    app.connect("env-check-consistency", name_missing)
    app.add_html_math_renderer("mathml", (draw_formula, None), (draw_formula, None))
