"""The sections of a recipe that make a trained model smaller."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from kcnn.recipe.ranges import CONFIG, Count, Fraction, NotNegative, Positive


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Prune:
    """How the model is thinned; see `kcnn.prune`.

    Each further level starts from the one before. The first is the one that is exported; the
    others are kept and reported, to show what more would cost. With `distill`, the pruned model
    learns from the whole one.
    """

    sparsities: Annotated[tuple[Fraction, ...], Field(min_length=1)] = (0.5, 0.8)
    epochs: Count = 2
    schedule: Literal["polynomial", "constant"] = "polynomial"
    learning_rate: Positive = 1e-3
    exclude: tuple[str, ...] = ()
    distill: bool = False

    def __post_init__(self) -> None:
        """Refuse levels that do not rise: a pruned weight cannot come back."""
        if list(self.sparsities) != sorted(set(self.sparsities)):
            raise ValueError(f"sparsities must rise. Received: {list(self.sparsities)}")


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Slim:
    """How whole filters are taken out, and how what is left recovers; see `kcnn.slim`.

    `macs` is the share of the multiply-accumulates that stays. SGD with momentum starts at
    `learning_rate` and follows a cosine to zero; `weight_decay` is decoupled. With
    `distill`, the slim model learns from the whole one.
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
    """How many values each kernel may have, and how they are found; see `kcnn.cluster`."""

    clusters: Annotated[int, Field(ge=2)] = 16
    epochs: Count = 2
    learning_rate: Positive = 1e-4
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class QuantizeAware:
    """How the model is trained for int8; see `kcnn.quantize_aware`.

    The same training in floats, quantised afterwards, is reported beside it.
    """

    epochs: Count = 2
    learning_rate: Positive = 1e-4
    engine: Literal["keras", "tfmot"] = "keras"


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Quantize:
    """How the integer model is calibrated; see `kcnn.export_tflite`."""

    samples: Annotated[int, Field(ge=10)] = 300
