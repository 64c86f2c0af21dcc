"""Registered models with their whole graph and few weights, for tests that take them all."""

import keras

from kcnn.models import arguments, build

# What a builder may call the size of its layers.
FEW = {"width": 8, "units": 32, "dense_units": 32}


def build_narrow(name: str, **options) -> keras.Model:
    accepted = arguments(name)
    few = {option: value for option, value in FEW.items() if option in accepted}
    return build(name, **few | options)
