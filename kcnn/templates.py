"""Templates of pages, documents and source code, filled by Jinja2."""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def templates(folder: Path, *, html: bool) -> Environment:
    """Return the templates in a folder; a value that is not given is an error.

    Args:
        folder: where they lie.
        html: escape every value, for pages; source code and Markdown are escaped by filters.

    >>> template = templates(Path("."), html=True).from_string("{{ x | percent }} {{ y }}")
    >>> template.render(x=0.5, y="<")
    '50.00% &lt;'
    """
    found = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=html,
    )
    found.filters["percent"] = lambda share, digits=2: f"{share:.{digits}%}"
    found.filters["thousands"] = lambda number: f"{number:,}"
    return found


def policy_hash(text: str) -> str:
    """Return what a content security policy calls a style or a script in the page.

    >>> policy_hash("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
