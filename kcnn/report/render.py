"""Web pages, each one file that needs no network, rendered from the templates beside this file."""

from functools import cache
from pathlib import Path

from jinja2 import Environment

from kcnn.templates import policy_hash, templates

_TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: object) -> str:
    """Return a page as HTML; every value is escaped.

    The page's content security policy allows its own style and script and embedded pictures, and
    nothing else: whatever a recipe or a class is called, the page can send no request.
    """
    style, script = ((_TEMPLATES / name).read_text("utf-8") for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{policy_hash(style)}'; "
        f"script-src '{policy_hash(script)}'; base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template(template)
        .render(page_style=style, page_script=script, policy=policy, **values)
    )


@cache
def _environment() -> Environment:
    return templates(_TEMPLATES, html=True)
