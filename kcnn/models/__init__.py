"""The classic networks by name: plain `keras.Model`s from raw pixels to logits.

Every builder takes `input_shape` and `num_classes` and returns a model for images
`(batch, height, width, channels)` of raw values 0-255, uint8 or float, that answers with float32
logits `(batch, num_classes)`. Its layers are stock Keras layers, but for two of `kcnn.layers` that
Keras lacks, in LeNet-5 and AlexNet. Nothing here imports Keras before a builder is asked for.

>>> import kcnn.models
>>> kcnn.models.names()[:3]
('mlp', 'simple_cnn', 'lenet5')
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from kcnn.errors import unknown

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Family:
    """The builders of one file in families/ and the paper that they follow, if there is one."""

    builders: tuple[str, ...]
    paper: str = ""
    url: str = ""


# By the name of the file, the simplest first.
FAMILIES = {
    "mlp": Family(("mlp",), "Rumelhart et al. 1986", "https://doi.org/10.1038/323533a0"),
    "simple_cnn": Family(("simple_cnn",)),
    "lenet": Family(("lenet5",), "LeCun et al. 1998", "https://doi.org/10.1109/5.726791"),
    "alexnet": Family(
        ("alexnet",),
        "Krizhevsky et al. 2012",
        "https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-"
        "neural-networks",
    ),
    "nin": Family(("nin",), "Lin et al. 2013", "https://arxiv.org/abs/1312.4400"),
    "vgg": Family(
        ("vgg11", "vgg13", "vgg16", "vgg19"),
        "Simonyan and Zisserman 2014",
        "https://arxiv.org/abs/1409.1556",
    ),
    "resnet_tiny": Family(("resnet8",), "Banbury et al. 2021", "https://arxiv.org/abs/2106.07597"),
    "resnet": Family(
        ("resnet20", "resnet32", "resnet44", "resnet56", "resnet110"),
        "He et al. 2015",
        "https://arxiv.org/abs/1512.03385",
    ),
    "speed_net": Family(("speed_net",), "Jordan 2024", "https://arxiv.org/abs/2404.00498"),
    "resnet_imagenet": Family(
        ("resnet18", "resnet34", "resnet50"), "He et al. 2015", "https://arxiv.org/abs/1512.03385"
    ),
}

_FAMILY_OF = {name: family for family, each in FAMILIES.items() for name in each.builders}

# By the name of their file, which imports Keras and so waits for its first use.
_FUNCTIONS = {
    "load": "files",
    "save": "files",
    "transfer": "transfer_learning",
    "whiten": "whitening",
    "fine_tune_from": "transfer_learning",
}


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
    if name in _FUNCTIONS:
        return getattr(import_module(f"{__name__}.{_FUNCTIONS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *names(), *_FUNCTIONS})
