"""Figures in the language of a lesson.

The code of a lesson, which both languages share, labels its figures in English. In Korean each
label is exchanged when the figure is drawn: `figure_words.py` has the words, and
`kcnn.fonts.cover` the font. When the lessons are built, each figure is drawn in both languages.
"""

import logging
import re
import warnings
from functools import cache, wraps
from typing import Any, cast

from kcnn.fonts import can_draw, cover, quiet
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from figure_words import KOREAN, LAYERS, NAMES

PICTURE = "application/vnd.kcnn.korean+json"
"""The type of an output beside a picture: the same in Korean, and the labels that it lacks."""

logger = logging.getLogger("kcnn")

_WORD = re.compile(r"[A-Za-z]{2}")
_PATTERNS = [
    (re.compile(re.escape(english).replace(r"\{\}", "(.+?)"), re.DOTALL), korean)
    for english, korean in sorted(KOREAN.items(), key=lambda each: -len(each[0].replace("{}", "")))
]


def in_korean(label: str) -> str | None:
    """Return a label in Korean, as it is if it has no word; None if `KOREAN` lacks it."""
    if not _WORD.search(label) or label in NAMES or label.startswith("$"):
        return label
    for pattern, korean in _PATTERNS:
        if found := pattern.fullmatch(label):
            return korean.format(*found.groups())
    return label if re.search("[가-힣]", label) or re.fullmatch(LAYERS, label) else None


def translate(figure: Figure) -> list[str]:
    """Write the labels of a figure in Korean, if an installed font has it.

    Returns:
        The labels that have no translation, which stay as they are.
    """
    unknown = []
    drawable = can_draw("가")

    def exchange(label: str) -> str:
        translated = in_korean(label)
        if translated is None:
            unknown.append(label)
        return translated if drawable and translated is not None else label

    for axes in figure.findobj(Axes):
        for axis in (axes.xaxis, axes.yaxis):
            labels = [text.get_text() for text in axis.get_ticklabels()]
            # Ticks are labeled whenever they are drawn, so that their texts alone would not stay.
            if labels != (translated := [exchange(label) for label in labels]):
                axis.set_ticks(axis.get_ticklocs(), translated)
    for text in figure.findobj(Text):
        text.set_text(exchange(text.get_text()))
    if not drawable:
        _advise()
    cover(figure)
    return unknown


@cache
def _advise() -> None:
    logger.warning(
        "그림의 글자를 영어로 둡니다. 한글이 있는 글꼴이 없기 때문입니다. 나눔고딕이나 Noto Sans "
        "CJK를 설치하세요(Debian과 Ubuntu에서는 fonts-nanum)."
    )


def speak(language: str) -> None:
    """Draw the figures from now on with labels in a language, "en" or "ko"."""
    if language != "ko":
        return
    draw = Figure.draw

    @wraps(draw)
    def draw_in_korean(self: Figure, renderer: Any) -> None:
        translate(self)
        with quiet():
            draw(self, renderer)

    Figure.draw = draw_in_korean


def draw_both(pictures: bool) -> None:
    """Let every figure that a cell displays bring its picture in Korean along, as a build needs.

    Without `pictures` its labels are translated, but not drawn.
    """
    from IPython.core.formatters import BaseFormatter
    from IPython.core.getipython import get_ipython
    from traitlets import Unicode

    class Korean(BaseFormatter):
        format_type = Unicode(PICTURE)

        def __call__(self, shown: object) -> dict[str, Any] | None:
            return _korean_picture(shown, pictures) if isinstance(shown, Figure) else None

    display = cast("Any", get_ipython()).display_formatter  # a kernel calls this
    display.formatters[PICTURE] = Korean(parent=display)


def _korean_picture(figure: Figure, drawn: bool) -> dict[str, Any]:
    from IPython.core.pylabtools import print_figure

    unknown = translate(figure)
    picture = None
    if drawn and can_draw("가"):
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=r"Glyph \d+ .* missing from")
            picture = print_figure(figure, fmt="png", base64=True, bbox_inches="tight")
    return {"png": picture, "unknown": unknown}
