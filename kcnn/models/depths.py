"""Builders of one depth, made from the builder of a whole family."""

import inspect
import re
from collections.abc import Callable

import keras


def at_depth(
    builder: Callable[..., keras.Model], depth: int, name: str, summary: str
) -> Callable[..., keras.Model]:
    """Return `builder` with its first argument, the depth, decided: a builder called `name`.

    Its signature and its documentation show the family's other arguments, each with its default,
    so that they are written down once.

    Args:
        builder: takes the depth first and a `name` among the others.
        depth: what it gets as its depth.
        name: of the returned builder and, by default, of the models it builds.
        summary: the first line of its documentation.
    """
    _, *others = inspect.signature(builder).parameters.values()
    parameters = [
        parameter.replace(default=name) if parameter.name == "name" else parameter
        for parameter in others
    ]
    signature = inspect.signature(builder).replace(parameters=parameters)

    def build(*arguments: object, **options: object) -> keras.Model:
        bound = signature.bind(*arguments, **options)
        bound.apply_defaults()
        return builder(depth, *bound.args, **bound.kwargs)

    build.__name__ = build.__qualname__ = name
    build.__module__ = builder.__module__
    build.__signature__ = signature
    _, _, details = inspect.getdoc(builder).partition("\n\n")
    details = re.sub(r"^ +depth: .*\n", "", details, flags=re.MULTILINE)
    build.__doc__ = f"{summary}\n\n{details}"
    return build
