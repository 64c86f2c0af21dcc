"""The section of a recipe about the training."""

from dataclasses import fields
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from kcnn.recipe.ranges import CONFIG, Count, Fraction, NotNegative, Positive, Share

# Field -> another field, and the values of that one for which the first has an effect.
_BELONGS_TO = {
    "warmup_epochs": ("schedule", ("cosine",)),
    "step_epochs": ("schedule", ("step",)),
    "milestones": ("schedule", ("multi_step",)),
    "factor": ("schedule", ("step", "multi_step")),
    "patience": ("schedule", ("plateau",)),
    "momentum": ("optimizer", ("sgd", "muon", "rmsprop")),
    "nesterov": ("optimizer", ("sgd", "muon")),
    "norm_bias_rate": ("optimizer", ("sgd", "muon")),
    "muon": ("optimizer", ("muon",)),
    # Early stopping would miss its last step.
    "lookahead": (
        "schedule",
        ("constant", "step", "multi_step", "cosine", "linear", "one_cycle", "triangle"),
    ),
    "decay": ("optimizer", ("sgd", "adam", "rmsprop")),
}


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Muon:
    """How the optimizer "muon" treats filters; see `kcnn.training.Muon`.

    Attributes:
        rate: The factor on the learning rate.
        momentum: The momentum of filters.
        iterations: Iterations of Newton-Schulz.
        normalize: Whether filters are scaled to a norm of 1 before each step.
    """

    rate: Positive = 1.0
    momentum: Share = 0.6
    iterations: Annotated[int, Field(ge=1, le=5, strict=True)] = 5
    normalize: bool = False


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Train:
    """How the model is trained; see `kcnn.train`, and `make_optimizer` for most fields.

    Only this training computes in `precision`; compression always computes in float32.

    Attributes:
        epochs: Passes over the training images.
        optimizer: The optimizer. "muon" is SGD whose steps for filters are orthogonal matrices.
        muon: Of "muon": how filters are treated; other weights are SGD's.
        momentum: Of SGD and RMSprop; None for the optimizer's default.
        nesterov: Whether SGD's momentum is Nesterov's; None for the optimizer's default.
        learning_rate: The learning rate, of a schedule the highest one.
        schedule: How the learning rate changes. "plateau" keeps it until the validation loss
            stalls for half of `patience`, then divides it by 5, and stops early after `patience`
            epochs; the others never stop early. "constant" keeps it. "step" multiplies it by
            `factor` every `step_epochs`, "multi_step" at each of `milestones`. "cosine" warms up
            for `warmup_epochs`, then falls to zero at the last epoch. "linear" falls to zero from
            the first step on. "one_cycle" rises for 30 % of the epochs, then falls to almost zero.
            "triangle" rises for 23 % of the epochs, then falls to 7 %, both linearly.
        warmup_epochs: Epochs in which "cosine" rises from zero; may be a fraction.
        step_epochs: Epochs between the steps of "step".
        milestones: The epochs at which "multi_step" lowers the learning rate.
        factor: What "step" and "multi_step" multiply the learning rate by.
        weight_decay: The weight decay.
        decay: Whether the weight decay is "decoupled" from the gradients, or "coupled" as L2.
        decay_everything: Whether biases and batch norms decay too.
        clip_norm: The largest norm of all gradients together; None does not clip.
        norm_bias_rate: Of SGD: multiplies the learning rate of the batch norms' offsets.
        ema: The momentum of the moving average of the weights that is validated and kept, such as
            0.999; None for no average.
        lookahead: Whether slow weights follow the trained ones; see `kcnn.callbacks.Lookahead`.
        whitening_epochs: Of a network that is whitened, such as speed_net: epochs in which the bias
            of its whitening layer trains; None for all. For TensorFlow only.
        label_smoothing: The share of each label that is spread over all classes.
        precision: "mixed_bfloat16" computes in bfloat16 and keeps the weights in float32; the
            trained model is a float32 one. "auto" is the faster one: on TPUs and GPUs the hardware
            tells; with TensorFlow on a CPU, steps of the network are timed in both, once for each
            machine. Short trainings, pretrained models and JAX on a CPU are in float32. The
            `recipe.json` of a run has the precision that "auto" stood for.
        patience: Of "plateau": epochs without a lower validation loss until training stops.
        tensorboard: Whether the run's folder gets logs for TensorBoard.
        checkpoint_steps: Also keep the state of the training after so many steps of an epoch, for
            epochs that take long; it is always kept after an epoch.
        on_divergence: What to do where a loss becomes NaN or infinite: "stop", or "roll_back" to
            the last kept state and go on with half the learning rate, at most three times.
    """

    epochs: Count = 20
    optimizer: Literal["adam", "adamw", "muon", "rmsprop", "sgd"] = "adam"
    muon: Muon = Muon()
    momentum: Share | None = None
    nesterov: bool | None = None
    learning_rate: Positive = 1e-3
    schedule: Literal[
        "plateau", "constant", "step", "multi_step", "cosine", "linear", "one_cycle", "triangle"
    ] = "plateau"
    warmup_epochs: NotNegative = 0.0
    step_epochs: Positive = 30.0
    milestones: tuple[Positive, ...] = ()
    factor: Fraction = 0.1
    weight_decay: NotNegative = 0.0
    decay: Literal["decoupled", "coupled"] = "decoupled"
    decay_everything: bool = False
    clip_norm: Positive | None = None
    norm_bias_rate: Positive = 1.0
    ema: Fraction | None = None
    lookahead: bool = False
    whitening_epochs: Count | None = None
    label_smoothing: Share = 0.0
    precision: Literal["float32", "mixed_bfloat16", "auto"] = "auto"
    patience: Count = 10
    tensorboard: bool = False
    checkpoint_steps: Count | None = None
    on_divergence: Literal["stop", "roll_back"] = "stop"

    def __post_init__(self) -> None:
        """Refuse fields without effect, and a learning rate that would never change."""
        self._check_times()
        if self.whitening_epochs and self.ema:
            raise ValueError(
                "whitening_epochs cannot be set with ema, which averages all weights to the end. "
                f"Received: whitening_epochs={self.whitening_epochs}"
            )
        for field in fields(self):
            if getattr(self, field.name) == field.default or field.name not in _BELONGS_TO:
                continue
            decider, values = _BELONGS_TO[field.name]
            if getattr(self, decider) not in values:
                raise ValueError(
                    f"{field.name} means nothing with {decider}={getattr(self, decider)!r}, only "
                    f"with {' or '.join(map(repr, values))}. "
                    f"Received: {field.name}={getattr(self, field.name)!r}"
                )

    def _check_times(self) -> None:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs must be less than the {self.epochs} epochs. "
                f"Received: {self.warmup_epochs}"
            )
        if self.schedule == "step" and self.step_epochs >= self.epochs:
            raise ValueError(
                f"step_epochs must be less than the {self.epochs} epochs, or the rate never "
                f"falls. Received: {self.step_epochs}"
            )
        if self.schedule == "multi_step" and not (
            self.milestones
            and list(self.milestones) == sorted(set(self.milestones))
            and self.milestones[-1] < self.epochs
        ):
            raise ValueError(
                f"milestones must be epochs that rise and are less than the {self.epochs} epochs. "
                f"Received: {list(self.milestones)}"
            )
