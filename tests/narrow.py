"""Registered models with their whole graph and few weights, for tests that take them all."""

import inspect

import keras

from kcnn.models import MODELS, build

# What a builder may call the size of its layers.
FEW = {"width": 8, "units": 32, "dense_units": 32}


def build_narrow(name: str, **options) -> keras.Model:
    accepted = inspect.signature(MODELS[name]).parameters
    few = {option: value for option, value in FEW.items() if option in accepted}
    return build(name, **few | options)
