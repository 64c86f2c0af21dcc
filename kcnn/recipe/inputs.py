"""The sections of a recipe that a training begins with: data, network, base and teacher."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from kcnn.recipe.ranges import CONFIG, Count, Fraction, Positive


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
        validation: The share of the training images that is kept for validation.
        limit: Use only so many training images; None for all.
        image_size: (height, width), needed only where a set's images differ in size.
        skip_damaged: Whether images of a folder that cannot be read are left out.
    """

    name: str = "cifar10"
    batch_size: Count = 128
    augment: Annotated[str | tuple[str, ...], BeforeValidator(_names)] = "standard"
    validation: Fraction = 0.1
    limit: Count | None = None
    image_size: tuple[Count, Count] | None = None
    skip_damaged: bool = False


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Model:
    """Which network, built for the shape and the classes of the data.

    Attributes:
        name: A builder of `kcnn.models`, or "module:function" for one of your own, such as
            "my_package.nets:tiny". It gets `input_shape`, `num_classes` and the options and
            returns a `keras.Model` that ends in logits.
        options: More arguments of the builder. `initializer` is a name or Keras's description of
            one: `{"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.01}}`.
            `normalization` is a name, null, or [mean, std] of raw pixels.
    """

    name: str = "simple_cnn"
    options: Mapping[str, int | float | str | bool | dict[str, Any] | list[Any] | None] = Field(
        default_factory=dict
    )


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Transfer:
    """A pretrained base in place of a new network; see `kcnn.models.transfer`.

    First the new head is trained alone by Adam; then the end of the base trains with it, as the
    recipe's `train` says.

    Attributes:
        base: The folder of a run, a `.keras` file, or "keras:MobileNetV2" for a network of
            `keras.applications` with its weights from ImageNet.
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
        teacher: The folder of a run, or a `.keras` file.
        temperature: Divides the logits of both models before they are compared.
        alpha: The weight of the teacher in the loss, 0 to 1.
    """

    teacher: str
    temperature: Positive = 4.0
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
