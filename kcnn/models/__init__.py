"""The classic networks by name: plain `keras.Model`s from raw pixels to logits.

Every builder takes `input_shape` and `num_classes` and returns a model of stock Keras layers for
images `(batch, height, width, channels)` of raw values 0-255, uint8 or float, that answers with
float32 logits `(batch, num_classes)`. Nothing here imports Keras before a builder is asked for.

>>> import kcnn.models
>>> kcnn.models.names()[:2]
('simple_cnn', 'lenet5')
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from kcnn.errors import unknown

if TYPE_CHECKING:
    import keras

# A family, named as its file in families/, and its builders.
FAMILIES = {
    "simple_cnn": ("simple_cnn",),
    "lenet": ("lenet5",),
    "alexnet": ("alexnet",),
    "vgg": ("vgg11", "vgg13", "vgg16", "vgg19"),
    "resnet": ("resnet20", "resnet32", "resnet44", "resnet56", "resnet110"),
}

_FAMILY_OF = {name: family for family, builders in FAMILIES.items() for name in builders}

# Of files.py, which imports Keras and so waits for its first use.
_FILE_FUNCTIONS = ("load", "save")


class _Models(Mapping):
    """The builders by name; a family's file is imported when one of its builders is asked for."""

    def __getitem__(self, name: str) -> "Callable[..., keras.Model]":
        return getattr(import_module(f"{__name__}.families.{_FAMILY_OF[name]}"), name)

    def __contains__(self, name: object) -> bool:
        return name in names()

    def __iter__(self) -> Iterator[str]:
        return iter(_FAMILY_OF)

    def __len__(self) -> int:
        return len(_FAMILY_OF)


MODELS: "Mapping[str, Callable[..., keras.Model]]" = _Models()


def names() -> tuple[str, ...]:
    """Return the names of all models, from the simplest family on.

    >>> "resnet20" in names()
    True
    """
    return tuple(_FAMILY_OF)


def build(name: str, /, **arguments: object) -> "keras.Model":
    """Build the model called `name` with the arguments of its builder.

    Use it where the name is data (a recipe, a command line); in code, call the builder itself:
    `kcnn.models.resnet20(num_classes=100)`.

    Raises:
        ValueError: no such model, no such argument, or an argument out of its range.

    >>> build("simple_cnn", num_classes=4).output_shape
    (None, 4)
    """
    if name not in MODELS:
        raise unknown("model", name, names())
    builder = MODELS[name]
    accepted = inspect.signature(builder).parameters
    for argument in arguments:
        if argument not in accepted:
            raise unknown(f"{name} argument", argument, accepted)
    return builder(**arguments)


def __getattr__(name: str) -> Callable:
    if name in _FAMILY_OF:
        return MODELS[name]
    if name in _FILE_FUNCTIONS:
        return getattr(import_module(f"{__name__}.files"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *names(), *_FILE_FUNCTIONS})
