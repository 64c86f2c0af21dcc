"""The section of a recipe about the training."""

import dataclasses
import math
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from kcnn.recipe.dependent import DEPENDENT, SWITCHES, has_effect, needs
from kcnn.recipe.muon import Muon
from kcnn.recipe.ranges import CONFIG, Count, Fraction, NotNegative, Positive, Share

Logger = Literal["tensorboard", "mlflow", "wandb"]


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Train:
    """How the model is trained; see `kcnn.train`, and `make_optimizer` for most fields.

    Only this training computes in `precision`; compression always computes in float32. A field that
    belongs to some schedules or optimizers is None unless it is given: without them it is refused,
    with them `resolved` has its value.

    Attributes:
        epochs: Passes over the training images.
        optimizer: The optimizer. "muon" is SGD whose steps for filters are orthogonal matrices.
        muon: Of "muon": how filters are treated; other weights are SGD's.
        momentum: Of SGD (0.9 if not given), "muon" (0.9) and RMSprop (0).
        nesterov: Whether the momentum of SGD and "muon" is Nesterov's; if not given, it is.
        learning_rate: The learning rate, of a schedule the highest one.
        schedule: How the learning rate changes. "plateau" keeps it until the validation loss
            stalls for `plateau_patience` epochs, then multiplies it by `factor`, and stops early
            after `patience` epochs; the others never stop early. "constant" keeps it. "step"
            multiplies it by `factor` every `step_epochs`, "multi_step" at each of `milestones`.
            "cosine" warms up for `warmup_epochs`, then falls to zero at the last epoch. "linear"
            falls to zero from the first step on. "one_cycle" rises for 30 % of the epochs, then
            falls to almost zero. "triangle" rises for 23 % of the epochs, then falls to 7 %, both
            linearly.
        warmup_epochs: Epochs in which "cosine" rises from zero; may be a fraction; 0 if not given.
        step_epochs: Epochs between the steps of "step"; 30 if not given.
        milestones: The epochs at which "multi_step" lowers the learning rate.
        factor: What the learning rate is multiplied by; if not given, 0.1 of "step" and
            "multi_step", 0.2 of "plateau".
        patience: Of "plateau": epochs without a lower validation loss until training stops; if not
            given, 10, or twice `plateau_patience`.
        plateau_patience: Of "plateau": such epochs until the learning rate is reduced; half of
            `patience` if not given.
        cooldown: Of "plateau": epochs after a reduction that do not count; 0 if not given.
        min_lr: Of "plateau": where the reductions of the learning rate end; 0 if not given.
        keep: Which epoch's weights the model has in the end, unless the schedule is "plateau": the
            "best" one, with the lowest validation loss, as if not given; or the "last", as papers
            report. With `lookahead` it is always the last.
        weight_decay: The weight decay.
        decay: Of SGD, Adam and RMSprop: whether the weight decay is "decoupled" from the gradients,
            as if not given, or "coupled" as L2.
        decay_everything: Whether biases and batch norms decay too.
        clip_norm: The largest norm of all gradients together; None does not clip.
        norm_bias_rate: Of SGD and "muon": multiplies the learning rate of the batch norms' offsets;
            1 if not given.
        ema: The momentum of the moving average of the weights that is validated and kept, such as
            0.999; None for no average.
        lookahead: Whether slow weights follow the trained ones; see `kcnn.callbacks.Lookahead`.
        whitening_epochs: Of a network that is whitened, such as speed_net: epochs in which the bias
            of its whitening layer trains; None for all. For TensorFlow only.
        label_smoothing: The share of each label that is spread over all classes.
        class_weight: "balanced" for classes that count alike in the training loss however many
            images they have; None for images that count alike.
        precision: "mixed_bfloat16" computes in bfloat16 and keeps the weights in float32; the
            trained model is a float32 one. "auto" is the faster one: on TPUs and GPUs the hardware
            tells; with TensorFlow on a CPU, steps of the network are timed in both, once for each
            machine. Short trainings, pretrained models and JAX on a CPU are in float32. The
            `recipe.json` of a run has the precision that "auto" stood for.
        tensorboard: Whether the run's folder gets logs for TensorBoard; as "tensorboard" among the
            loggers.
        loggers: What else notes the course of the training, each by its own Keras callback:
            "tensorboard" in the run's folder, "mlflow" and "wandb" where their settings say.
        checkpoint_steps: Also keep the state of the training after so many steps of an epoch, for
            epochs that take long; it is always kept after an epoch.
        on_divergence: What to do where a loss becomes NaN or infinite: "stop", or "roll_back" to
            the last kept state and go on with half the learning rate, at most three times.
    """

    epochs: Count = 20
    optimizer: Literal["adam", "adamw", "muon", "rmsprop", "sgd"] = "adam"
    muon: Muon | None = None
    momentum: Share | None = None
    nesterov: bool | None = None
    learning_rate: Positive = 1e-3
    schedule: Literal[
        "plateau", "constant", "step", "multi_step", "cosine", "linear", "one_cycle", "triangle"
    ] = "plateau"
    warmup_epochs: NotNegative | None = None
    step_epochs: Positive | None = None
    milestones: tuple[Positive, ...] | None = None
    factor: Fraction | None = None
    patience: Count | None = None
    plateau_patience: Count | None = None
    cooldown: Annotated[int, Field(ge=0, strict=True)] | None = None
    min_lr: NotNegative | None = None
    keep: Literal["best", "last"] | None = None
    weight_decay: NotNegative = 0.0
    decay: Literal["decoupled", "coupled"] | None = None
    decay_everything: bool = False
    clip_norm: Positive | None = None
    norm_bias_rate: Positive | None = None
    ema: Fraction | None = None
    lookahead: bool = False
    whitening_epochs: Count | None = None
    label_smoothing: Share = 0.0
    class_weight: Literal["balanced"] | None = None
    precision: Literal["float32", "mixed_bfloat16", "auto"] = "auto"
    tensorboard: bool = False
    loggers: tuple[Logger, ...] = ()
    checkpoint_steps: Count | None = None
    on_divergence: Literal["stop", "roll_back"] = "stop"

    def __post_init__(self) -> None:
        """Refuse fields without effect, and a learning rate that would never change."""
        self._check_effect()
        self._check_times()
        self._check_plateau()
        if self.whitening_epochs and self.ema:
            raise ValueError(
                "whitening_epochs cannot be set with ema, which averages all weights to the end. "
                f"Received: whitening_epochs={self.whitening_epochs}"
            )

    def resolved(self) -> "Train":
        """Return the same training with the values of all fields that it uses.

        >>> Train(schedule="plateau", plateau_patience=4).resolved().patience
        8
        """
        values: dict[str, Any] = {
            name: dependent.values[getattr(self, dependent.decider)]
            for name, dependent in DEPENDENT.items()
            if getattr(self, name) is None and has_effect(name, vars(self))
        }
        if self.schedule == "plateau":
            waits = self.plateau_patience
            patience = self.patience or (2 * waits if waits else values["patience"])
            values["patience"] = patience
            values["plateau_patience"] = waits or math.ceil(patience / 2)
        if self.momentum == 0 and "nesterov" in values:
            values["nesterov"] = False
        return dataclasses.replace(self, **values)

    @property
    def all_loggers(self) -> tuple[Logger, ...]:
        """The loggers, with the one that `tensorboard` asks for."""
        asked: tuple[Logger, ...] = ("tensorboard",) if self.tensorboard else ()
        return tuple(dict.fromkeys((*asked, *self.loggers)))

    def _check_effect(self) -> None:
        for name in (*DEPENDENT, *SWITCHES):
            value = getattr(self, name)
            given = value is not None if name in DEPENDENT else value
            if given and (lacking := needs(name, vars(self))):
                raise ValueError(f"{name} means nothing {lacking}. Received: {name}={value!r}")

    def _check_times(self) -> None:
        if (self.warmup_epochs or 0) >= self.epochs:
            raise ValueError(
                f"warmup_epochs must be less than epochs={self.epochs}: with fewer epochs, give it "
                f"a smaller value, too. Received: warmup_epochs={self.warmup_epochs}"
            )
        stair = self.step_epochs or DEPENDENT["step_epochs"].values["step"]
        if self.schedule == "step" and stair >= self.epochs:
            raise ValueError(
                f"step_epochs must be less than the {self.epochs} epochs, or the rate never "
                f"falls. Received: {stair}"
            )
        milestones = self.milestones or ()
        if self.schedule == "multi_step" and not (
            milestones
            and list(milestones) == sorted(set(milestones))
            and milestones[-1] < self.epochs
        ):
            raise ValueError(
                f"milestones must be epochs that rise and are less than the {self.epochs} epochs. "
                f"Received: {list(milestones)}"
            )

    def _check_plateau(self) -> None:
        waits, patience = self.plateau_patience, self.patience
        if waits and patience and waits >= patience > 1:
            raise ValueError(
                f"plateau_patience must be below patience={patience}, or training stops before the "
                f"learning rate is reduced. Received: plateau_patience={waits}"
            )
        if self.min_lr is not None and self.min_lr >= self.learning_rate:
            raise ValueError(
                f"min_lr must be below learning_rate={self.learning_rate}, or the rate is never "
                f"reduced. Received: min_lr={self.min_lr}"
            )
