"""The section of a recipe that says how the weights are found."""

from dataclasses import fields
from typing import Literal

from pydantic.dataclasses import dataclass

from kcnn.recipe.ranges import CONFIG, Count, Fraction, NotNegative, Positive, Share

# Field -> the field that decides whether it means anything, and the values with which it does.
_BELONGS_TO = {
    "warmup_epochs": ("schedule", ("cosine",)),
    "step_epochs": ("schedule", ("step",)),
    "milestones": ("schedule", ("multi_step",)),
    "factor": ("schedule", ("step", "multi_step")),
    "patience": ("schedule", ("plateau",)),
    "momentum": ("optimizer", ("sgd", "rmsprop")),
    "nesterov": ("optimizer", ("sgd",)),
    "norm_bias_rate": ("optimizer", ("sgd",)),
    # An early stop would miss its last step.
    "lookahead": (
        "schedule",
        ("constant", "step", "multi_step", "cosine", "one_cycle", "triangle"),
    ),
    "decay": ("optimizer", ("sgd", "adam", "rmsprop")),
}


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Train:
    """How the weights are found; see `kcnn.train`, and for most fields `make_optimizer` there.

    What `schedule` makes of the learning rate:

    - "plateau" keeps it until the validation loss stalls for half of `patience`, then divides it
      by 5, and stops early after `patience` epochs. The others never stop early.
    - "constant" keeps it.
    - "step" multiplies it by `factor` every `step_epochs`, "multi_step" at each of `milestones`.
    - "cosine" warms up for `warmup_epochs`, then falls to zero at the last epoch.
    - "one_cycle" rises for 30 % of the epochs, then falls to almost zero.
    - "triangle" rises for 23 % of the epochs, then falls to 7 %, both along lines.

    `ema` is the momentum of the moving average of the weights that is judged and kept, such as
    0.999. `precision="mixed_bfloat16"` computes in bfloat16 and keeps the weights in float32;
    what training gives is a float32 model. It is faster only where the processor has bfloat16
    units (AMX, Arm with BF16, GPUs); "auto" takes it where it finds a TPU, an NVIDIA GPU since
    Ampere or, on TensorFlow, Intel's AMX, and float32 elsewhere and with a borrowed body; the
    `recipe.json` of a run that trains has what it came to. Only this training is in bfloat16: what
    makes a model smaller is in float32.
    `norm_bias_rate` is for SGD, see `make_optimizer`; `lookahead` see `kcnn.callbacks.Lookahead`.
    """

    epochs: Count = 20
    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"] = "adam"
    momentum: Share | None = None
    nesterov: bool | None = None
    learning_rate: Positive = 1e-3
    schedule: Literal[
        "plateau", "constant", "step", "multi_step", "cosine", "one_cycle", "triangle"
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
    label_smoothing: Share = 0.0
    precision: Literal["float32", "mixed_bfloat16", "auto"] = "auto"
    patience: Count = 10
    tensorboard: bool = False

    def __post_init__(self) -> None:
        """Refuse fields that would do nothing, and a rate that would never change."""
        self._check_times()
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
