"""Callbacks and optimizers that belong together, and those that cannot work together."""

import logging
from collections.abc import Sequence

import keras

from kcnn.callbacks import AveragedStatistics, LearningRateLog
from kcnn.callbacks.plateau import check_no_schedule
from kcnn.layers.fast import moving_statistics

logger = logging.getLogger("kcnn")

Callbacks = Sequence[keras.callbacks.Callback]


def averaging(
    model: keras.Model, callbacks: Callbacks, optimizer: keras.optimizers.Optimizer
) -> list[keras.callbacks.Callback]:
    """Return the callbacks that put averaged weights into the model while it is judged or saved.

    Empty where the optimizer averages nothing, or `callbacks` do it already.
    """
    ready = any(isinstance(each, keras.callbacks.SwapEMAWeights) for each in callbacks)
    if not optimizer.use_ema or ready:
        return []
    found: list[keras.callbacks.Callback] = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]
    if moving_statistics(model):
        found.append(AveragedStatistics(optimizer.ema_momentum))
    return found


def check_callbacks(callbacks: Callbacks, optimizer: keras.optimizers.Optimizer) -> None:
    """Refuse what is no list of callbacks, and callbacks that clash with the optimizer.

    Keras itself reports a plateau callback beside a schedule only when the plateau is reached,
    which can take hours. It never reports early stopping with averaged weights: on an early stop it
    swaps plain and averaged weights once too often, and only restored weights are averaged ones.

    Raises:
        ValueError: there is such a clash, or something is no callback.
    """
    wrong = [callbacks]
    if isinstance(callbacks, list | tuple):
        wrong = [each for each in callbacks if not isinstance(each, keras.callbacks.Callback)]
    if wrong:
        raise ValueError(
            "callbacks must be a list of Keras callbacks, as in [keras.callbacks.EarlyStopping()]. "
            f"Received: {wrong[0]!r}"
        )
    for kind in (keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler):
        if any(isinstance(each, kind) for each in callbacks):
            check_no_schedule(optimizer, kind.__name__)
    early = (each for each in callbacks if isinstance(each, keras.callbacks.EarlyStopping))
    if optimizer.use_ema and not all(each.restore_best_weights for each in early):
        raise ValueError(
            "EarlyStopping with averaged weights (ema) needs restore_best_weights=True: Keras "
            "would end with the plain weights."
        )


def warn_of_compiled(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    """Log that what the user's own `compile` has set is not used, if it was never trained with."""
    own = getattr(model, "optimizer", None)
    if own is None or own is optimizer or not type(own).__module__.startswith("keras."):
        return
    if not int(own.iterations):
        logger.warning(
            "Model %r is compiled with %s, and kcnn compiles it with an optimizer, loss and metric "
            "of its own. To train with yours: optimizer=model.optimizer, or model.fit.",
            model.name,
            type(own).__name__,
        )


def check_monitors(callbacks: Callbacks, model: keras.Model) -> None:
    """Refuse a callback that monitors what no epoch of this training measures.

    Keras only warns, after the first epoch. Where a callback of the user's own may add to the logs,
    or the model has a training step of its own, what is measured is not known before.

    Raises:
        ValueError: the metric of a callback is not measured; the message lists those that are.
    """
    own_steps = ("train_step", "test_step", "compute_metrics")
    if any(getattr(type(model), step) is not getattr(keras.Model, step) for step in own_steps):
        return
    if not all(_adds_no_logs(each) for each in callbacks):
        return
    known = ["accuracy", "loss", "val_accuracy", "val_loss"]
    setters = keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler
    if any(isinstance(each, (LearningRateLog, *setters)) for each in callbacks):
        known.append("learning_rate")
    for each in callbacks:
        monitor = getattr(each, "monitor", None)
        if isinstance(monitor, str) and monitor not in known:
            raise ValueError(
                f"{type(each).__name__} monitors {monitor!r}, which is not measured. "
                f"Known: {', '.join(sorted(known))}."
            )


def _adds_no_logs(callback: keras.callbacks.Callback) -> bool:
    known = type(callback).__module__.startswith(("keras.", "kcnn."))
    return known and not isinstance(callback, keras.callbacks.LambdaCallback)
