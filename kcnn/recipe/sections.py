"""The recipe as a whole, and its sections about the trained model."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, JsonValue
from pydantic.dataclasses import dataclass

from kcnn.own_code import check_place
from kcnn.recipe.contradictions import check_sections
from kcnn.recipe.inputs import Data, Distill, Model, Transfer
from kcnn.recipe.ranges import CONFIG, Count, Fraction, NotNegative, Positive
from kcnn.recipe.train import Train

__all__ = [
    "Cluster",
    "Explain",
    "OwnStage",
    "Prune",
    "Quantize",
    "QuantizeAware",
    "Recipe",
    "Slim",
]


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Prune:
    """Small weights become zeros; see `kcnn.prune`.

    Attributes:
        sparsities: Shares of zeros, rising. Each level starts from the one before. The first is
            exported; the others are kept and reported, to show what more zeros would cost.
        epochs: Epochs of each level.
        schedule: How the share of zeros rises within a level.
        learning_rate: The learning rate at the start of a level.
        exclude: Names of layers that stay dense.
        distill: Whether the pruned model also learns from the trained one.
        engine: "tfmot" prunes by TF-MOT in another process, "keras" in this one, faster and on both
            backends.
    """

    sparsities: Annotated[tuple[Fraction, ...], Field(min_length=1)] = (0.5, 0.8)
    epochs: Count = 2
    schedule: Literal["polynomial", "constant"] = "polynomial"
    learning_rate: Positive = 1e-3
    exclude: tuple[str, ...] = ()
    distill: bool = False
    engine: Literal["keras", "tfmot"] = "tfmot"

    def __post_init__(self) -> None:
        """Refuse levels that do not rise: a pruned weight cannot come back."""
        if list(self.sparsities) != sorted(set(self.sparsities)):
            raise ValueError(f"sparsities must rise. Received: {list(self.sparsities)}")


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Slim:
    """Whole filters are removed, and the smaller network recovers; see `kcnn.slim`.

    It recovers by SGD with momentum, whose learning rate follows a cosine to zero.

    Attributes:
        macs: The share of the multiply-accumulates that stays.
        criterion: How filters are ranked.
        exclude: Names of layers that keep all their filters.
        multiple_of: How many filters go at a time.
        epochs: Epochs of recovery.
        learning_rate: The learning rate at the start.
        weight_decay: Decoupled weight decay.
        distill: Whether the slim model also learns from the trained one.
    """

    macs: Fraction = 0.5
    criterion: Literal["l1", "batch_norm_scale"] = "l1"
    exclude: tuple[str, ...] = ()
    multiple_of: Count = 8
    epochs: Count = 10
    learning_rate: Positive = 0.02
    weight_decay: NotNegative = 0.0
    distill: bool = True


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Cluster:
    """The weights of each kernel share a few values; see `kcnn.cluster`.

    Attributes:
        clusters: How many values a kernel may have.
        epochs: Epochs in which the values are learned.
        learning_rate: The learning rate at the start.
        exclude: Names of layers that are not clustered.
        distill: Whether the clustered model also learns from the trained one.
        engine: "tfmot" clusters by TF-MOT in another process, "keras" in this one, faster and on
            both backends.
    """

    clusters: Annotated[int, Field(ge=2)] = 16
    epochs: Count = 2
    learning_rate: Positive = 1e-4
    exclude: tuple[str, ...] = ()
    distill: bool = False
    engine: Literal["keras", "tfmot"] = "tfmot"


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class QuantizeAware:
    """The model trains on while it computes as its int8 file will; see `kcnn.quantize_aware`.

    The same training in float32, quantized afterwards, is reported beside it.

    Attributes:
        epochs: Epochs of this training.
        learning_rate: The learning rate at the start.
        engine: "keras" trains in this process, "tfmot" by TF-MOT in another one.
        weight_bits: Bits of a number in a kernel; with 4 the stage writes int4 files.
        distill: Whether both models also learn from the trained one.
    """

    epochs: Count = 2
    learning_rate: Positive = 1e-4
    engine: Literal["keras", "tfmot"] = "keras"
    weight_bits: Literal[4, 8] = 8
    distill: bool = False

    def __post_init__(self) -> None:
        """Refuse what TF-MOT cannot do."""
        if self.engine == "tfmot" and (self.weight_bits != 8 or self.distill):
            raise ValueError(
                "engine='tfmot' trains for int8 and without a teacher: leave weight_bits and "
                "distill out, or take engine='keras'."
            )


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Quantize:
    """The model is exported as int8; see `kcnn.export_tflite`.

    Attributes:
        samples: How many training images calibrate the ranges of the activations.
    """

    samples: Annotated[int, Field(ge=10)] = 300


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Explain:
    """Some test images get heat maps; see `kcnn.grad_cam`.

    Attributes:
        images: How many, from all over the test set.
    """

    images: Count = 8


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class OwnStage:
    """A stage of your own: what it makes of the trained model is scored and exported too.

    Attributes:
        name: "module:name" of a `kcnn.pipeline.Stage`, such as "my_package.sparsify:stage".
        options: The fields of the stage's own section, as JSON values.
    """

    name: str
    options: Mapping[str, JsonValue] = Field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a name that cannot be one; nothing is imported before the stage is needed."""
        check_place(self.name, "stage")


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Recipe:
    """A whole run. A section that is None is left out of it.

    Attributes:
        data: The images.
        model: The network. With `transfer` or `trained` there is nothing to name: a name must be
            that of the pretrained network.
        train: How it is trained.
        trained: The folder of a run, a `.keras` file, or the name of a published model: this model
            is taken as it is, and the run is about what can be made of it.
        transfer: A pretrained base in place of a new network.
        distill: A teacher for the training.
        prune: Small weights become zeros.
        slim: Whole filters are removed.
        cluster: Weights share a few values.
        quantize_aware: The model trains on for int8.
        quantize: The model is exported as int8.
        explain: Some test images get heat maps.
        own_stages: Techniques from outside kcnn; they come before `quantize`.
        tta: The test-time augmentation of one more score; see `kcnn.evaluate`.
        seed: Decides initial weights, validation images, order and augmentation.
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
    own_stages: tuple[OwnStage, ...] = ()
    tta: Literal["none", "flip", "flip_shift", "flip_shift_unsure"] = "none"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    def __post_init__(self) -> None:
        """Refuse sections that contradict each other, or that would be ignored."""
        check_sections(self)
        if self.trained:  # what a file of an earlier version says of its precision did nothing
            object.__setattr__(self, "train", Train())

    def resolved(self) -> "Recipe":
        """Return the same recipe with the values of all fields that it uses, as a run notes them.

        >>> Recipe().resolved().train.patience
        10
        """
        train = self.train if self.trained else self.train.resolved()
        transfer = self.transfer and self.transfer.resolved()
        model = self.model if self.trained or self.transfer else self.model.resolved()
        data = self.data.resolved()
        return replace(self, data=data, model=model, train=train, transfer=transfer)
