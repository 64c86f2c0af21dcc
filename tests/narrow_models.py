"""The registered models with their full graph and few weights, for tests of all models."""

import keras

from kcnn.models import arguments, build

# The options of builders that set the size of layers.
FEW = {"width": 8, "units": 32, "dense_units": 32}


def build_narrow(name: str, **options) -> keras.Model:
    accepted = arguments(name)
    few = {option: value for option, value in FEW.items() if option in accepted}
    return build(name, **few | options)
