"""The builders by name, without importing Keras before a builder is used."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Unpack, cast, get_args, get_origin

from kcnn.errors import unknown
from kcnn.own_code import is_own, resolve

if TYPE_CHECKING:
    import keras

Builder = Callable[..., "keras.Model"]


@dataclass(frozen=True)
class Family:
    """The networks of one file in families/.

    Attributes:
        builders: their names.
        paper: the authors and the year of the paper that they follow; empty if there is none.
        url: of the paper.
    """

    builders: tuple[str, ...]
    paper: str = ""
    url: str = ""


# By file name, the simplest family first.
FAMILIES: dict[str, Family] = {
    "mlp": Family(("mlp",), "Rumelhart et al. 1986", "https://doi.org/10.1038/323533a0"),
    "simple_cnn": Family(("simple_cnn",)),
    "lenet": Family(("lenet5",), "LeCun et al. 1998", "https://doi.org/10.1109/5.726791"),
    "alexnet": Family(
        ("alexnet",),
        "Krizhevsky et al. 2012",
        "https://papers.nips.cc/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html",
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
"""The families of networks by their names. A new family is a new row."""

_FAMILY_OF = {name: family for family, each in FAMILIES.items() for name in each.builders}


class _Builders(Mapping[str, Builder]):
    """The builders by name. Looking one up imports the file of its family, and Keras with it."""

    def __getitem__(self, name: str) -> Builder:
        return getattr(import_module(f"kcnn.models.families.{_FAMILY_OF[name]}"), name)

    def __contains__(self, name: object) -> bool:
        return name in _FAMILY_OF

    def __iter__(self) -> Iterator[str]:
        return iter(_FAMILY_OF)

    def __len__(self) -> int:
        return len(_FAMILY_OF)


MODELS: Mapping[str, Builder] = _Builders()


def names() -> tuple[str, ...]:
    """Return the names of all models, those of the simplest family first.

    >>> "resnet20" in names()
    True
    """
    return tuple(_FAMILY_OF)


def arguments(name: str) -> tuple[str, ...]:
    """Return the names of the arguments of the builder called `name`, as `build` takes them.

    Raises:
        ValueError: there is no such model.

    >>> arguments("simple_cnn")[:3]
    ('input_shape', 'num_classes', 'spatial_dropout')
    >>> "stem" in arguments("resnet18"), "stem" in arguments("resnet20")
    (True, False)
    """
    return tuple(_accepted(_find(name))[0])


def build(name: str, /, **arguments: Any) -> "keras.Model":
    """Build the model called `name` with the arguments of its builder.

    Use it where the name is data (a recipe, a command line); in code, call the builder itself:
    `kcnn.models.resnet20(num_classes=100)`.

    Args:
        name: one of `names()`, or a network of your own as "module:function", such as
            "my_package.nets:tiny". That function gets the arguments and returns a `keras.Model`.
        **arguments: see `kcnn.models.arguments`.

    Raises:
        ValueError: no such model, no such argument, an argument out of its range, or a function of
            your own that does not return a built `keras.Model`.

    >>> build("simple_cnn", num_classes=4).output_shape
    (None, 4)
    """
    builder = _find(name)
    accepted, others = _accepted(builder)
    for argument in arguments:
        if argument not in accepted and not others:
            raise unknown(f"{name} argument", argument, accepted)
    return _build_own(name, builder, arguments) if is_own(name) else builder(**arguments)


def _find(name: str) -> Builder:
    if not is_own(name):
        if name not in MODELS:
            raise unknown("model", name, names())
        return MODELS[name]
    builder = resolve(name, "network")
    if not callable(builder):
        raise ValueError(
            f"Own network {name!r} must be a function of input_shape and num_classes that returns "
            f"a keras.Model. Received: {type(builder).__name__}"
        )
    return cast(Builder, builder)


def _build_own(name: str, builder: Builder, arguments: dict[str, Any]) -> "keras.Model":
    import keras

    try:
        inspect.signature(builder).bind(**arguments)
    except TypeError as error:
        raise ValueError(f"Own network {name!r}: {error}.") from None
    model = builder(**arguments)
    if not isinstance(model, keras.Model):
        raise ValueError(
            f"Own network {name!r} must return a keras.Model. Received: {type(model).__name__}"
        )
    if not getattr(model, "inputs", None):
        raise ValueError(
            f"Own network {name!r} must return a built graph: keras.Sequential with an Input, or "
            f"keras.Model(inputs, outputs). Received: {type(model).__name__} without inputs"
        )
    return model


def _accepted(builder: Builder) -> tuple[list[str], bool]:
    """Return the names of a builder's arguments, and whether it also takes others."""
    accepted, others = [], False
    for parameter in inspect.signature(builder).parameters.values():
        if get_origin(parameter.annotation) is Unpack:  # **options: Unpack[a TypedDict]
            accepted += get_args(parameter.annotation)[0].__annotations__
        elif parameter.kind is parameter.VAR_KEYWORD:
            others = True
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            accepted.append(parameter.name)
    return accepted, others
