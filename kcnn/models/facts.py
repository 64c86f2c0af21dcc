"""Parameters, MACs and receptive field of every model, known without building it.

`python docs/update_models.py` writes `facts.json`; a test compares it with the models.
"""

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("facts.json")


@dataclass(frozen=True)
class Facts:
    """One model at its builder's defaults: 32x32 RGB images, 10 classes.

    Attributes:
        parameters: of all its weights.
        trainable_parameters: of those that train.
        macs: multiply-accumulates for one image, see `kcnn.arithmetic.model_arithmetic`.
        receptive_field: pixels along each axis that one unit of the last map can see; None without
            maps.
    """

    parameters: int
    trainable_parameters: int
    macs: int
    receptive_field: tuple[int, ...] | None


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
    return None if sizes is None else tuple(sizes)
