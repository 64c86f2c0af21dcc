"""How results show themselves in a notebook: as tables."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np
from PIL import Image


class Html(str):
    """A cell that is HTML already."""


def html_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", note: str = ""
) -> str:
    """Return a table in HTML: the first column on the left, numbers on the right.

    Args:
        header: the titles of the columns; none for a table without.
        rows: their cells, as `cell` writes them.
        title: a line above the table.
        note: a line below it.

    >>> html_table(["class", "accuracy"], [["cat", 0.5]])
    '<table><tr><th ...>class</th><th ...>accuracy</th></tr><tr><td ...>cat</td>...</tr></table>'
    """
    parts = [_row("th", header)] if header else []
    parts += [_row("td", [cell(each) for each in row]) for row in rows]
    above = f"<p><strong>{escape(title)}</strong></p>" if title else ""
    below = f"<p><small>{escape(note)}</small></p>" if note else ""
    return f"{above}<table>{''.join(parts)}</table>{below}"


def cell(value: object) -> str:
    """Return a value as people read it.

    >>> cell(1234567), cell(0.1234567), cell(None), cell(["relu", "conv"])
    ('1,234,567', '0.1235', '', 'relu, conv')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value))
    return str(value)


def html_picture(pixels: np.ndarray, *, width: int = 64) -> Html:
    """Return uint8 pixels [H, W, 1 or 3] as a picture in HTML, so many pixels wide."""
    written = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(written, "png")
    source = base64.b64encode(written.getvalue()).decode("ascii")
    return Html(f'<img src="data:image/png;base64,{source}" style="width: {width}px">')


def html_facts(title: str, facts: Mapping[str, object]) -> str:
    """Return names and values as a table in HTML.

    >>> "<strong>pruned</strong>" in html_facts("pruned", {"sparsity": 0.8})
    True
    """
    return html_table((), facts.items(), title=title)


def _row(tag: str, cells: Sequence[str]) -> str:
    sides = ("left", *["right"] * (len(cells) - 1))
    texts = (text if isinstance(text, Html) else escape(text) for text in cells)
    written = (
        f'<{tag} style="text-align: {side}">{text}</{tag}>'
        for text, side in zip(texts, sides, strict=True)
    )
    return f"<tr>{''.join(written)}</tr>"
