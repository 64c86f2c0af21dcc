"""The model card of a bundle: what somebody must know who is given the model, on a page.

Mitchell et al., "Model Cards for Model Reporting" (2019), https://arxiv.org/abs/1810.03993.
"""

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kcnn.bundle.arena import Arena
from kcnn.bundle.scored import Scored
from kcnn.bundle.snippets import facts_of, write_template
from kcnn.evaluation.confusions import most_confused
from kcnn.intervals import wilson_interval
from kcnn.litert import TFLiteSummary, read_requirements
from kcnn.runtimes.runtime import ROUNDING

FILE = "MODEL_CARD.md"
_PAIRS = 5
_SHOWN = 100  # class names
_LONGEST = 200  # letters of a license's name


@dataclass(frozen=True)
class About:
    """What a model card says and neither the model nor its data know; None for what is not stated.

    Attributes:
        license: under which the model may be used, such as "Apache-2.0".
        data: the name of the data that calibrate and score the file.
        trained_on: the name of the data that the model was trained on.
    """

    license: str | None = None
    data: str | None = None
    trained_on: str | None = None

    def __post_init__(self) -> None:
        """Check that the license is one line.

        Raises:
            ValueError: it is empty or long, or has several lines.
        """
        text = self.license
        if text is None or (text.strip() and text.isprintable() and len(text) <= _LONGEST):
            return
        received = text if len(text) <= _LONGEST else f"{text[:40]}..."
        raise ValueError(
            f"The license of a model card is a line of 1 to {_LONGEST} letters that names it, such "
            f"as 'Apache-2.0'. Received: {received!r}."
        )


def write_card(
    summary: TFLiteSummary,
    folder: Path,
    facts: Mapping[str, Any],
    *,
    about: About,
    scored: Scored | None,
    arena: Arena,
    threshold: float | None,
) -> Path:
    """Write the model card and return its path.

    Args:
        summary: the int8 model, with its class names.
        folder: where the file is written.
        facts: the `name` of the model, how many `parameters` it has, how many images `calibrated`
            it, the `versions` of packages, and when it was `created`.
        about: what the caller says about it.
        scored: its answers to the test images; None if they were not scored.
        arena: its memory on a microcontroller.
        threshold: the probability from which a class is predicted; None for the most probable one.
    """
    known = facts_of(summary, threshold)
    names = known["labels"]
    interval = scored and wilson_interval(scored.score.accuracy, scored.score.count)
    values = known | {
        "bytes": summary.bytes,
        "named": bool(summary.labels),
        "shown": [plain(each) for each in names[:_SHOWN]],
        "license": about.license and plain(about.license),
        "dataset": about.data and plain(about.data),
        "trained_on": about.trained_on and plain(about.trained_on),
        "score": scored and scored.score,
        "interval": interval,
        "confused": _confused(scored, names),
        "arena": arena,
        "runs_on": read_requirements(summary.path.read_bytes()).lines(),
        "rounding": ROUNDING,
        "machine": platform.machine(),
    }
    return write_template(folder / FILE, values | dict(facts) | {"name": plain(facts["name"])})


def plain(text: str) -> str:
    r"""Return text as Markdown that shows it as it is, in one line.

    >>> print(plain("a|b\n<i> 1*2"))
    a\|b \<i\> 1\*2
    """
    line = "".join(each if each.isprintable() else " " for each in text)
    return re.sub(r"([\\`*_\[\]<>|&~])", r"\\\1", line)


def _confused(scored: Scored | None, names: Sequence[str]) -> list[tuple[str, str, int, float]]:
    """Return the true class, the predicted one, how many images, and the share of the true ones."""
    if scored is None:
        return []
    totals = scored.confusion.sum(axis=1)
    return [
        (plain(names[truth]), plain(names[predicted]), count, count / int(totals[truth]))
        for truth, predicted, count in most_confused(scored.confusion, _PAIRS)
    ]
