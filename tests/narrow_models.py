"""The registered models with their full graph and few weights, for tests of all models."""

import keras
import pytest

from kcnn.models import FAMILIES, arguments, build, names

# The options of builders that set the size of layers.
FEW = {"width": 8, "units": 32, "dense_units": 32}


FIRST = [family.builders[0] for family in FAMILIES.values()]
"""One of each family."""


def all_in_the_campaign(*more: str) -> list:
    """Return all models as parameters of a test, of which CI tries `FIRST` and these."""
    tried = {*FIRST, *more}
    return [
        name if name in tried else pytest.param(name, marks=pytest.mark.campaign)
        for name in names()
    ]


def build_narrow(name: str, **options) -> keras.Model:
    accepted = arguments(name)
    few = {option: value for option, value in FEW.items() if option in accepted}
    return build(name, **few | options)
