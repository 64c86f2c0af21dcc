"""Web pages, each one file that needs no network, rendered from the templates beside this file."""

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: object) -> str:
    """Return a page as HTML; every value is escaped.

    The page's content security policy allows its own style and script and embedded pictures, and
    nothing else: whatever a recipe or a class is called, the page can send no request.
    """
    style, script = ((_TEMPLATES / name).read_text("utf-8") for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template(template)
        .render(page_style=style, page_script=script, policy=policy, **values)
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["percent"] = lambda share, digits=2: f"{share:.{digits}%}"
    environment.filters["thousands"] = lambda number: f"{number:,}"
    return environment


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
