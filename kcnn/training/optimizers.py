"""Optimizers by name, with the weight decay that their papers mean."""

import json
import re
from dataclasses import asdict
from typing import Any

import keras

from kcnn.callbacks.plateau import is_scheduled
from kcnn.errors import unknown
from kcnn.layers.appearance import appears_as
from kcnn.training.fast_updates import with_fast_updates
from kcnn.training.muon import Muon, with_muon
from kcnn.training.schedules import Schedule, change_of_rate

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "muon": keras.optimizers.SGD,  # whose steps for filters it replaces
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}
DECAYS = ("decoupled", "coupled")
_WITH_SGD = ("sgd", "muon")

# Variables without weight decay, by Keras's names with TensorFlow's scope and number.
_SPARED = r"(^|/)(bias|gamma|beta)(:\d+)?$"
_NORM_BIAS = r"(^|/)beta(:\d+)?$"


def make_optimizer(  # noqa: PLR0913 - one for each thing that a paper says of its optimizer
    optimizer: str | keras.optimizers.Optimizer,
    learning_rate: float | Schedule | None = None,
    *,
    momentum: float | None = None,
    nesterov: bool | None = None,
    weight_decay: float = 0.0,
    decay: str = "decoupled",
    decay_everything: bool = False,
    norm_bias_rate: float = 1.0,
    clip_norm: float | None = None,
    ema: float | None = None,
    muon: Muon | None = None,
) -> keras.optimizers.Optimizer:
    """Return a Keras optimizer by name, with fast updates where there are any.

    A `.keras` file names Keras's own class, so that it loads without kcnn, and contains neither a
    coupled decay nor `norm_bias_rate`; Muon is saved as SGD. To train on, make the optimizer again.

    Args:
        optimizer: "sgd", "adam", "adamw", "rmsprop", or "muon": SGD whose steps for convolutions
            and hidden dense layers become orthogonal matrices. An optimizer is returned as it is.
        learning_rate: a number, or one of `kcnn.training.schedules`; 1e-3 if not given. Muon suits
            0.02 to 0.2.
        momentum: of SGD (0.9 if not given) and RMSprop (0).
        nesterov: of SGD (True if not given, and there is momentum) and of Muon's filters.
        weight_decay: 0 for none; `decay` says how it acts.
        decay: "decoupled" shrinks each weight by `learning_rate * weight_decay` of itself at every
            step, as Keras's own `weight_decay` and Loshchilov & Hutter (arXiv:1711.05101) do.
            "coupled" adds `weight_decay * weight` to the gradient, after the clipping and before
            momentum: the L2 penalty of most papers, and PyTorch's `weight_decay` of SGD and Adam.
            SGD's momentum is then PyTorch's, too: a sum of gradients. Keras's is a sum of steps,
            which lags behind a schedule.
            For SGD with momentum 0.9 a decoupled 5e-3 is about as strong as a coupled 5e-4.
        decay_everything: let biases and batch norms decay too, as PyTorch does.
        norm_bias_rate: of SGD: factor on the learning rate of batch norms' offsets. Their decay
            does not change. Airbench (Jordan 2024, arXiv:2404.00498) has 64.
        clip_norm: scale the gradients down so that their global norm is at most this
            (Pascanu et al., arXiv:1211.5063).
        ema: momentum of an exponential moving average of the weights, such as 0.999, for `train`
            or `keras.callbacks.SwapEMAWeights` to use; above 0, below 1.
        muon: of "muon": how filters are treated. The learning rate, Nesterov's momentum and the
            decoupled decay are theirs too; everything else is of the SGD for the other weights.
            SGD's momentum is PyTorch's here, as with a coupled decay.

    Raises:
        ValueError: a name is unknown, a number is out of its range, or this optimizer has no use
            for an argument.

    >>> make_optimizer("sgd", 0.1, weight_decay=5e-4, decay="coupled").nesterov
    True
    """
    if not isinstance(optimizer, str):
        if learning_rate is not None:
            raise ValueError(
                f"{type(optimizer).__name__}(...) brings its own learning rate: leave "
                "learning_rate out, or pass the name of an optimizer. Received: "
                f"learning_rate={learning_rate!r}"
            )
        return optimizer
    if learning_rate is None:
        learning_rate = 1e-3
    if optimizer not in OPTIMIZERS:
        raise unknown("optimizer", optimizer, OPTIMIZERS)
    if decay not in DECAYS:
        raise unknown("decay", decay, DECAYS)
    _check_ranges(weight_decay=weight_decay, clip_norm=clip_norm, ema=ema)
    if not norm_bias_rate > 0:
        raise ValueError(f"norm_bias_rate must be above 0. Received: {norm_bias_rate}")
    _check_belonging(optimizer, decay, norm_bias_rate, muon)
    stock = OPTIMIZERS[optimizer]
    coupled, decoupled = (weight_decay, 0.0) if decay == "coupled" else (0.0, weight_decay)
    as_pytorch = optimizer == "muon" or (optimizer == "sgd" and decay == "coupled")
    if coupled or as_pytorch or norm_bias_rate != 1:
        rate = float(norm_bias_rate)
        make = _with_changed_gradients(stock, coupled, rate, rescale=as_pytorch)
    else:
        make = with_fast_updates(stock)
    if optimizer == "muon":
        muon = muon or Muon()
        make = with_muon(make, muon)
    made = make(
        learning_rate,
        weight_decay=decoupled if optimizer == "adamw" else decoupled or None,  # AdamW needs one
        global_clipnorm=clip_norm,
        use_ema=ema is not None,
        ema_momentum=0.99 if ema is None else ema,
        **_momentum(optimizer, momentum, nesterov),
    )
    if weight_decay and not decay_everything:
        made.exclude_from_weight_decay(var_names=[_SPARED])
    # What Keras's own configuration does not say, as one text: Keras would track a dictionary.
    extra = {"weight_decay": weight_decay, "decay": decay, "decay_everything": decay_everything}
    extra |= {"norm_bias_rate": norm_bias_rate}
    made._kcnn_settings = json.dumps(extra | ({"muon": asdict(muon)} if muon else {}))
    return made


def _check_belonging(optimizer: str, decay: str, norm_bias_rate: float, muon: Muon | None) -> None:
    if optimizer == "adamw" and decay == "coupled":
        raise ValueError("AdamW is Adam with decoupled decay: for the coupled one take 'adam'.")
    if optimizer == "muon" and decay == "coupled":
        raise ValueError(
            "Muon's decay is decoupled: a coupled one would only turn the step. Leave decay out."
        )
    if norm_bias_rate != 1 and optimizer not in _WITH_SGD:
        raise ValueError(
            f"norm_bias_rate belongs to 'sgd' and 'muon'. Received: optimizer={optimizer!r}"
        )
    if muon and optimizer != "muon":
        raise ValueError(f"muon belongs to 'muon'. Received: optimizer={optimizer!r}")


def _momentum(optimizer: str, momentum: float | None, nesterov: bool | None) -> dict[str, Any]:
    if nesterov is not None and optimizer not in _WITH_SGD:
        raise ValueError(f"nesterov belongs to 'sgd' and 'muon'. Received: optimizer={optimizer!r}")
    if momentum is not None and optimizer not in (*_WITH_SGD, "rmsprop"):
        raise ValueError(
            f"momentum belongs to 'sgd', 'muon' and 'rmsprop'. Received: optimizer={optimizer!r}"
        )
    if momentum is not None and not 0 <= momentum < 1:
        raise ValueError(f"momentum must lie in [0, 1). Received: momentum={momentum}")
    if optimizer == "rmsprop":
        return {"momentum": float(momentum or 0)}
    if optimizer not in _WITH_SGD:
        return {}
    momentum = 0.9 if momentum is None else float(momentum)
    if not momentum and (nesterov or optimizer == "muon"):
        needs = "nesterov=True" if nesterov else "Muon"
        raise ValueError(f"{needs} needs a momentum above 0. Received: momentum=0")
    return {"momentum": momentum, "nesterov": momentum > 0 and nesterov is not False}


def _check_ranges(*, weight_decay: float, clip_norm: float | None, ema: float | None) -> None:
    if not weight_decay >= 0:
        raise ValueError(f"weight_decay must be at least 0. Received: weight_decay={weight_decay}")
    if clip_norm is not None and not clip_norm > 0:
        raise ValueError(f"clip_norm must be above 0, or None. Received: clip_norm={clip_norm}")
    if ema is not None and not 0 < ema < 1:
        raise ValueError(f"ema must lie between 0 and 1, or be None. Received: ema={ema}")


def _with_changed_gradients(
    stock: type[keras.optimizers.Optimizer],
    weight_decay: float,
    norm_bias_rate: float,
    *,
    rescale: bool,
) -> type[keras.optimizers.Optimizer]:
    """Return `stock` with `weight_decay * weight` added to every gradient.

    An L2 regularizer does the same, but also changes the loss: here training and validation loss
    stay the cross-entropy. The gradients of batch norms' offsets are multiplied first.

    Args:
        stock: one of Keras's optimizers.
        weight_decay: 0 for none.
        norm_bias_rate: 1 for none.
        rescale: whether to scale SGD's velocity when a schedule changes the rate, so that it acts
            like PyTorch's, which sums gradients and not steps.
    """
    base: Any = with_fast_updates(stock)

    class ChangedGradients(base):
        # A checkpoint names Keras's own class and loads without kcnn; the changes are not in it.
        __class__ = appears_as(stock)

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            if norm_bias_rate != 1 and re.search(_NORM_BIAS, variable.name):
                gradient = gradient * norm_bias_rate
            if weight_decay and self._use_weight_decay(variable):
                decay: Any = keras.ops.cast(weight_decay, variable.dtype)
                gradient = gradient + decay * variable
            if rescale and self.momentum and is_scheduled(self):
                velocity = self.momentums[self._get_variable_index(variable)]
                self.assign(velocity, velocity * change_of_rate(self, learning_rate))
            super().update_step(gradient, variable, learning_rate)

    return ChangedGradients
