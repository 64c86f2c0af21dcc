"""Fonts for what matplotlib's own font has no glyphs for: Korean, Chinese and Japanese names."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

logger = logging.getLogger("kcnn")

_LIKELY = ("noto", "nanum", "gothic", "cjk", "han", "hei", "song", "ming", "yahei", "unicode")


def cover(figure: Figure) -> None:
    """Append a font to each text of a figure whose characters its own font lacks.

    What no installed font has is said once a process, with what to install.
    """
    for text in figure.findobj(Text):
        if isinstance(text, Text) and (missing := _missing(text)):
            family = _family_with(missing)
            if family is None:
                _advise()
            elif family not in text.get_fontfamily():
                text.set_fontfamily([*text.get_fontfamily(), family])


def can_draw(characters: str) -> bool:
    """Return whether an installed font has all these characters.

    >>> can_draw("abc")
    True
    """
    return _family_with(frozenset(characters)) is not None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence matplotlib's warning for each glyph that is missing, of which `cover` says enough."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from")
        yield


def _missing(text: Text) -> frozenset[str]:
    characters = {each for each in text.get_text() if not each.isascii() and each.isprintable()}
    if not characters:
        return frozenset()
    known = set[int]()
    for family in text.get_fontfamily():
        properties = text.get_fontproperties().copy()
        properties.set_family(family)
        known |= _characters(font_manager.findfont(properties))
    return frozenset(each for each in characters if ord(each) not in known)


@cache
def _family_with(characters: frozenset[str]) -> str | None:
    """Return an installed font that has all these characters, the likeliest ones first."""
    manager = font_manager.fontManager
    known = {entry.fname for entry in manager.ttflist}
    # Matplotlib's list is of the first time that it was used.
    for path in set(font_manager.findSystemFonts()) - known:
        try:
            manager.addfont(path)
        except (OSError, RuntimeError):  # not a font, or of a kind that FreeType does not read
            continue
    wanted = {ord(each) for each in characters}

    def rank(entry: font_manager.FontEntry) -> tuple[bool, bool, str]:
        likely = any(part in entry.name.lower() for part in _LIKELY)
        return not likely, str(entry.weight) not in ("400", "normal"), entry.name

    for entry in sorted(manager.ttflist, key=rank):
        if wanted <= _characters(entry.fname):
            return entry.name
    return None


@cache
def _characters(path: str) -> frozenset[int]:
    if "LastResort" in path:  # a font of matplotlib's that draws the same box for a whole script
        return frozenset()
    try:
        return frozenset(font_manager.get_font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


@cache
def _advise() -> None:
    """Say once what to install."""
    logger.warning(
        "No installed font has some characters of the class names, which are boxes in pictures. "
        "Install one that has them, such as the package fonts-noto-cjk of Debian and Ubuntu, or "
        "Noto Sans CJK from https://fonts.google.com/noto."
    )
