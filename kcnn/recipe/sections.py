"""The recipe as a whole, and its sections about the trained model."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, JsonValue
from pydantic.dataclasses import dataclass

from kcnn.own_code import check_place
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
    """

    clusters: Annotated[int, Field(ge=2)] = 16
    epochs: Count = 2
    learning_rate: Positive = 1e-4
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class QuantizeAware:
    """The model trains on while it computes as its int8 file will; see `kcnn.quantize_aware`.

    The same training in float32, quantized afterwards, is reported beside it.

    Attributes:
        epochs: Epochs of this training.
        learning_rate: The learning rate at the start.
        engine: "keras" trains in this process, "tfmot" by TF-MOT in another one.
    """

    epochs: Count = 2
    learning_rate: Positive = 1e-4
    engine: Literal["keras", "tfmot"] = "keras"


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
        model: The network. With `transfer` or `trained` its name only says which one that is.
        train: How it is trained.
        trained: The folder of a run, or a `.keras` file: this model is taken as it is, and the
            run is about what can be made of it.
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
        # Files of runs from before "auto" was the default say float32.
        idle = self.train in (Train(), Train(precision="float32"))
        ignored = self.transfer or self.distill or self.model.options or not idle
        if self.trained and ignored:
            raise ValueError(
                "with trained, nothing is built or trained: leave train, transfer, distill and "
                "model.options out."
            )
        if self.trained:  # what a file of an earlier version says of its precision did nothing
            object.__setattr__(self, "train", Train())
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
        if self.transfer and not self.transfer.trainable_from and self.train.optimizer == "muon":
            raise ValueError(
                "muon is for filters, and transfer freezes all of them: set "
                "transfer.trainable_from, or leave it out. Received: train.optimizer='muon'"
            )
        if self.transfer and self.train.whitening_epochs:
            raise ValueError(
                "whitening_epochs is for a network that is whitened, which transfer does not do. "
                f"Received: train.whitening_epochs={self.train.whitening_epochs}"
            )
        if self.transfer and self.train.precision == "mixed_bfloat16":
            raise ValueError(
                "transfer trains its base in float32: leave train.precision out. "
                f"Received: train.precision={self.train.precision!r}"
            )

    def resolved(self) -> "Recipe":
        """Return the same recipe with the values of all fields that it uses, as a run notes them.

        >>> Recipe().resolved().train.patience
        10
        """
        train = self.train if self.trained else self.train.resolved()
        return replace(self, train=train, transfer=self.transfer and self.transfer.resolved())
