"""Subclasses of Keras's classes that are saved under the name of their parent."""

from typing import Any


def appears_as(stock: type) -> Any:
    """Return a `__class__` with which a subclass of `stock` is named and saved as `stock` itself.

    Keras names, clones and serializes an object by its `__class__`, so its files load in plain
    Keras, without kcnn. `type(object)`, which Python's own method lookup uses, stays the subclass.

    >>> class Loud(list):
    ...     __class__ = appears_as(list)
    >>> Loud().__class__.__name__, type(Loud()).__name__
    ('list', 'Loud')
    """
    return property(lambda self: stock)
