"""Size, cost and view of every model as it is built by default, known without building any.

`facts.json` is written by `python docs/update_models.py`; a test holds it equal to the models.
"""

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("facts.json")


@dataclass(frozen=True)
class Facts:
    """One model at its builder's defaults: 32x32 RGB images, 10 classes."""

    parameters: int
    trainable_parameters: int
    macs: int
    """Multiply-accumulates for one image, see `kcnn.arithmetic.model_arithmetic`."""
    receptive_field: tuple[int, ...] | None
    """Pixels along each axis that one unit of the last map can see; None without maps."""


def read() -> dict[str, Facts]:
    """Return the facts about every model of `kcnn.models.names()`, by name.

    >>> read()["resnet20"].trainable_parameters
    269722
    """
    return {
        name: Facts(**facts | {"receptive_field": _tuple(facts["receptive_field"])})
        for name, facts in json.loads(FILE.read_text(encoding="utf-8")).items()
    }


def _tuple(sizes: list[int] | None) -> tuple[int, ...] | None:
    return sizes and tuple(sizes)
