"""The sections of a recipe beside `Train`, and the whole."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from kcnn.recipe.compression import Cluster, Prune, Quantize, QuantizeAware, Slim
from kcnn.recipe.ranges import CONFIG, Count, Fraction, Positive
from kcnn.recipe.train import Train


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

    `augment` is a name, an augmentation of your own as "module:function", or a list of them that
    follow each other. `image_size` (height, width) is needed only where a set's images differ in
    size.
    """

    name: str = "cifar10"
    batch_size: Count = 128
    augment: Annotated[str | tuple[str, ...], BeforeValidator(_names)] = "standard"
    validation: Fraction = 0.1
    limit: Count | None = None
    image_size: tuple[Count, Count] | None = None


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Model:
    """Which builder of `kcnn.models` or of your own, and its arguments besides shape and classes.

    A network of your own is "module:function", such as "my_package.nets:tiny"; the function gets
    `input_shape`, `num_classes` and the options and returns a `keras.Model` that ends in logits.
    The option `initializer` is a name or Keras's description of one:
    `{"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.01}}`.
    """

    name: str = "simple_cnn"
    options: dict[str, int | float | str | bool | dict[str, Any]] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Transfer:
    """Which trained model lends its body, in place of a new one; see `kcnn.models.transfer`.

    `base` is the folder of a run, or a `.keras` file. The new head is trained alone for
    `head_epochs` by Adam at `head_learning_rate`; then the layer `trainable_from` and all after
    it are trained as the recipe says. None leaves the body frozen.
    """

    base: str
    trainable_from: str | None = None
    head_epochs: Annotated[int, Field(ge=0)] = 0
    head_learning_rate: Positive = 1e-2


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Distill:
    """Which trained model teaches this one while it trains; see `kcnn.training.distill`.

    `teacher` is the folder of a run, or a `.keras` file.
    """

    teacher: str
    temperature: Positive = 4.0
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Explain:
    """How many test images get a heat map; see `kcnn.grad_cam`."""

    images: Count = 8


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Recipe:
    """A whole run. A section that is None is left out of it.

    With `transfer`, the body of a trained model takes the place of `model`, whose name then only
    says which network it is. With `trained`, the folder of a run or a `.keras` file, that model is
    taken whole and as it is: the run is about what can be made of it. `tta` is the test-time
    augmentation of the scores; see `kcnn.evaluate`.
    """

    data: Data = Field(default_factory=Data)
    model: Model = Field(default_factory=Model)
    train: Train = Field(default_factory=Train)
    trained: str | None = None
    transfer: Transfer | None = None
    distill: Distill | None = None
    prune: Prune | None = Field(default_factory=Prune)
    slim: Slim | None = None
    cluster: Cluster | None = None
    quantize_aware: QuantizeAware | None = None
    quantize: Quantize | None = Field(default_factory=Quantize)
    explain: Explain | None = Field(default_factory=Explain)
    tta: Literal["none", "flip", "flip_shift"] = "none"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    def __post_init__(self) -> None:
        """Refuse what a borrowed body or a whole model would ignore."""
        # Files of runs from before "auto" was the default say float32.
        idle = self.train in (Train(), Train(precision="float32"))
        ignored = self.transfer or self.distill or self.model.options or not idle
        if self.trained and ignored:
            raise ValueError(
                "with trained, nothing is built or trained: leave train, transfer, distill and "
                "model.options out."
            )
        if self.prune and self.cluster and self.cluster.clusters < 3:
            raise ValueError(
                "cluster.clusters must be at least 3 with prune, as zero is one of the values. "
                f"Received: {self.cluster.clusters}"
            )
        if self.quantize_aware and not self.quantize:
            raise ValueError(
                "quantize_aware is for the int8 file that the section quantize writes: keep both."
            )
        if self.transfer and self.model.options:
            raise ValueError(
                "model.options mean nothing with transfer: the base decides the network. "
                f"Received: {self.model.options}"
            )
        if self.transfer and self.train.precision == "mixed_bfloat16":
            raise ValueError(
                "transfer trains its base in float32: leave train.precision out. "
                f"Received: train.precision={self.train.precision!r}"
            )
