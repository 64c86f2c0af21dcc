"""A recipe: everything that decides a run, as frozen, typed and checked data.

>>> recipe = Recipe(model=Model(name="resnet20"), train=Train(epochs=40))
>>> override(recipe, ["train.epochs=5", "prune=none"]).train.epochs
5
"""

import dataclasses
import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from kcnn.errors import unknown

_CONFIG = ConfigDict(extra="forbid")

Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1, strict=True)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Data:
    """Which images, and how they are fed; see `kcnn.data.load`.

    `image_size` (height, width) is needed only where a set's images differ in size.
    """

    name: str = "cifar10"
    batch_size: Count = 128
    augment: str = "standard"
    validation: Fraction = 0.1
    limit: Count | None = None
    image_size: tuple[Count, Count] | None = None


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Model:
    """Which builder of `kcnn.models`, and the arguments it gets beside shape and classes."""

    name: str = "simple_cnn"
    options: dict[str, int | float | str | bool] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Train:
    """How the weights are found; see `kcnn.train`.

    `schedule="plateau"` keeps the rate until the validation loss stalls for half of `patience`,
    then divides it by 5, and stops early after `patience` epochs. `"cosine"` warms up for
    `warmup_epochs`, then falls to zero at the last epoch and never stops early.
    """

    epochs: Count = 20
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    learning_rate: Rate = 1e-3
    schedule: Literal["plateau", "cosine"] = "plateau"
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    patience: Count = 10
    tensorboard: bool = False

    def __post_init__(self) -> None:
        """Refuse a warm-up that leaves no epoch to fall."""
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs must be less than the {self.epochs} epochs. "
                f"Received: {self.warmup_epochs}"
            )


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Prune:
    """How the model is thinned; see `kcnn.prune`.

    Each further level starts from the one before. The first is the one that is exported; the
    others are kept and reported, to show what more would cost.
    """

    sparsities: Annotated[tuple[Fraction, ...], Field(min_length=1)] = (0.5, 0.8)
    epochs: Count = 2
    schedule: Literal["polynomial", "constant"] = "polynomial"
    learning_rate: Rate = 1e-3

    def __post_init__(self) -> None:
        """Refuse levels that do not rise: a pruned weight cannot come back."""
        if list(self.sparsities) != sorted(set(self.sparsities)):
            raise ValueError(f"sparsities must rise. Received: {list(self.sparsities)}")


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Quantize:
    """How the integer model is calibrated; see `kcnn.export_tflite`."""

    samples: Annotated[int, Field(ge=10)] = 300


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Explain:
    """How many test images get a heat map; see `kcnn.grad_cam`."""

    images: Count = 8


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Recipe:
    """A whole run. A section that is None is left out of it."""

    data: Data = Field(default_factory=Data)
    model: Model = Field(default_factory=Model)
    train: Train = Field(default_factory=Train)
    prune: Prune | None = Field(default_factory=Prune)
    quantize: Quantize | None = Field(default_factory=Quantize)
    explain: Explain | None = Field(default_factory=Explain)
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


_RECIPE = TypeAdapter(Recipe)


def to_json(recipe: Recipe) -> str:
    """Return the recipe as indented JSON, the content of a run's `recipe.json`."""
    return json.dumps(_RECIPE.dump_python(recipe, mode="json"), indent=2) + "\n"


def from_json(text: str) -> Recipe:
    """Return the recipe that `to_json` wrote.

    Raises:
        ValueError: the text is no recipe; the message names the first wrong key.

    >>> from_json(to_json(Recipe(seed=3))).seed
    3
    """
    try:
        return _validated(json.loads(text))
    except json.JSONDecodeError as error:
        raise ValueError(f"Not a recipe: {error}.") from None


def override(recipe: Recipe, assignments: Iterable[str]) -> Recipe:
    """Return the recipe with `section.key=value` assignments applied and checked.

    A value is JSON (`5`, `0.1`, `true`, `[0.5, 0.8]`), `none`, or else a plain word.
    `prune=none` leaves a section out.

    Raises:
        ValueError: an unknown key (the closest one is named), a wrong type or range.

    >>> override(Recipe(), ["train.epocs=5"])
    Traceback (most recent call last):
    ValueError: Unknown key 'train.epocs'. Did you mean 'train.epochs'? ...
    >>> override(Recipe(), ["train.epochs=0"])
    Traceback (most recent call last):
    ValueError: train.epochs: Input should be greater than or equal to 1. Received: 0
    """
    values = _RECIPE.dump_python(recipe, mode="json")
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(f"Expected key=value, like train.epochs=5. Received: {assignment!r}")
        _assign(values, key.strip(), _value(text.strip()))
    return _validated(values)


def smoke(recipe: Recipe) -> Recipe:
    """Return the same run in seconds: a few images and one epoch of everything."""
    data = dataclasses.replace(
        recipe.data, limit=512, batch_size=min(recipe.data.batch_size, 64), validation=0.2
    )
    train = dataclasses.replace(recipe.train, epochs=1, warmup_epochs=0.0)
    prune = recipe.prune and dataclasses.replace(recipe.prune, epochs=1)
    quantize = recipe.quantize and Quantize(samples=20)
    explain = recipe.explain and Explain(images=4)
    return dataclasses.replace(
        recipe, data=data, train=train, prune=prune, quantize=quantize, explain=explain
    )


def _assign(values: dict[str, Any], key: str, value: object) -> None:
    *sections, last = key.split(".")
    node: Any = values
    for section in sections:
        node = node.get(section) if isinstance(node, dict) else None
        if node is None and section in values:
            raise ValueError(f"{key}: this recipe leaves the section {section!r} out.")
    free = sections == ["model", "options"]
    if not isinstance(node, dict) or (last not in node and not free):
        raise unknown("key", key, _keys(values))
    node[last] = value


def _keys(values: dict[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for name, value in values.items():
        inner = _keys(value, f"{prefix}{name}.") if isinstance(value, dict) else []
        keys.extend(inner or [f"{prefix}{name}"])
    return keys


def _value(text: str) -> object:
    if text.lower() == "none":
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _validated(values: object) -> Recipe:
    try:
        return _RECIPE.validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "recipe"
        if first["type"] == "value_error":  # our own words, which say what was received
            raise ValueError(f"{where}: {first['ctx']['error']}") from None
        raise ValueError(f"{where}: {first['msg']}. Received: {first['input']!r}") from None
