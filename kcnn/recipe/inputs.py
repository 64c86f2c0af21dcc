"""The sections of a recipe that a training begins with: data, network, base and teacher."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from kcnn.recipe.ranges import CONFIG, Count, Fraction, Positive

_VALIDATION = 0.1


def _names(augment: object) -> object:
    """Refuse a function, which a recipe's JSON could not hold."""
    parts = augment if isinstance(augment, list | tuple) else (augment,)
    for part in parts:
        if not isinstance(part, str):
            raise ValueError(
                "give names, and a function of your own as 'module:function', which a recipe can "
                f"be saved with. Received: {part!r}"
            )
    return augment


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Data:
    """Which images, and how they are fed; see `kcnn.data.load`.

    Attributes:
        name: The data set.
        batch_size: Images per training step.
        augment: The random changes of training images: a name, a function of your own as
            "module:function", or a list of them that follow each other.
        sampling: "uniform" for epochs with each image once, "balanced" for as many of every class.
        validation: The share of the training images that is kept for validation.
        folds: In place of a share: the training images are divided into so many folds for a
            cross-validation, and one of them is kept.
        fold: Which fold, from 0; the first if not given.
        groups: Of a folder: a CSV file with the columns `file` and `group`; images of one group
            stay together when validation and test images are split off.
        limit: Use only so many training images; None for all. Also a limit of the test images.
        classes: Use only the images of these classes, numbered in this order; None for all.
        per_class: Use only so many training images of each class, and all test images; the
            validation images are taken from these. None for all.
        image_size: (height, width), needed only where a set's images differ in size.
        skip_damaged: Whether images of a folder that cannot be read are left out.
    """

    name: str = "cifar10"
    batch_size: Count = 128
    augment: Annotated[str | tuple[str, ...], BeforeValidator(_names)] = "standard"
    sampling: Literal["uniform", "balanced"] = "uniform"
    validation: Fraction = _VALIDATION
    folds: Annotated[int, Field(ge=2)] | None = None
    fold: Annotated[int, Field(ge=0)] | None = None
    groups: str | None = None
    limit: Count | None = None
    classes: Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    per_class: Count | None = None
    image_size: tuple[Count, Count] | None = None
    skip_damaged: bool = False

    def __post_init__(self) -> None:
        """Refuse a fold that there is not, and what would have no effect."""
        if self.folds is None and self.fold is not None:
            raise ValueError(f"fold means nothing without folds. Received: fold={self.fold}")
        if self.folds is not None and (self.fold or 0) >= self.folds:
            raise ValueError(
                f"fold must be from 0 to {self.folds - 1} of folds={self.folds}. "
                f"Received: fold={self.fold}"
            )
        if self.folds is not None and self.validation != _VALIDATION:
            raise ValueError(
                "validation means nothing with folds, of which one is kept for validation. "
                f"Received: validation={self.validation}"
            )

    def resolved(self) -> "Data":
        """Return the same with the values of all fields that it uses."""
        return replace(self, fold=self.fold or 0) if self.folds else self


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Model:
    """Which network, built for the shape and the classes of the data.

    Attributes:
        name: A builder of `kcnn.models`, or "module:function" for one of your own, such as
            "my_package.nets:tiny". It gets `input_shape`, `num_classes` and the options and
            returns a `keras.Model` that ends in logits. "simple_cnn" if not given.
        options: More arguments of the builder. `initializer` is a name or Keras's description of
            one: `{"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.01}}`.
            `normalization` is a name, null, or [mean, std] of raw pixels.
    """

    name: str | None = None
    options: Mapping[str, int | float | str | bool | dict[str, Any] | list[Any] | None] = Field(
        default_factory=dict
    )

    @property
    def builder(self) -> str:
        """The name, or the one of the network that is built if none is given."""
        return self.name or "simple_cnn"

    def resolved(self) -> "Model":
        """Return the same with the name of the network."""
        return replace(self, name=self.builder)


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Transfer:
    """A pretrained base in place of a new network; see `kcnn.models.transfer`.

    First the new head is trained alone by Adam; then the end of the base trains with it, as the
    recipe's `train` says.

    Attributes:
        base: The folder of a run, a `.keras` file, the name of a published model, such as
            "resnet20", "keras:MobileNetV2" for a network of `keras.applications` with its weights
            from ImageNet, or "keras_hub:PRESET" for one of KerasHub, such as `resnet_18_imagenet`,
            or a folder with a preset.
        trainable_from: The base's first layer that trains; None freezes all of it.
        head_epochs: Epochs of the head alone.
        head_learning_rate: Their learning rate; 0.01 if not given.
    """

    base: str
    trainable_from: str | None = None
    head_epochs: Annotated[int, Field(ge=0)] = 0
    head_learning_rate: Positive | None = None

    def __post_init__(self) -> None:
        """Refuse a learning rate of a training that does not take place."""
        if self.head_learning_rate is not None and not self.head_epochs:
            raise ValueError(
                "head_learning_rate means nothing without head_epochs. "
                f"Received: head_learning_rate={self.head_learning_rate}"
            )

    def resolved(self) -> "Transfer":
        """Return the same with the values of all fields that it uses."""
        if self.head_epochs and self.head_learning_rate is None:
            return replace(self, head_learning_rate=1e-2)
        return self


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Distill:
    """A trained model that teaches this one while it trains; see `kcnn.training.distill`.

    Attributes:
        teacher: The folder of a run, a `.keras` file, or the name of a published model, such as
            "resnet20".
        temperature: Divides the logits of both models before they are compared.
        alpha: The weight of the teacher in the loss, 0 to 1.
    """

    teacher: str
    temperature: Positive = 4.0
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
