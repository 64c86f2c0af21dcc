"""Callbacks and optimizers that belong together, and those that cannot work together."""

from collections.abc import Sequence

import keras

from kcnn.callbacks import AveragedStatistics
from kcnn.layers.fast import moving_statistics
from kcnn.training.schedules import is_scheduled

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
    """Refuse callbacks that clash with the optimizer.

    Keras itself reports a plateau callback beside a schedule only when the plateau is reached,
    which can take hours. It never reports early stopping with averaged weights: on an early stop it
    swaps plain and averaged weights once too often, and only restored weights are averaged ones.

    Raises:
        ValueError: there is such a clash.
    """
    plateau = any(isinstance(each, keras.callbacks.ReduceLROnPlateau) for each in callbacks)
    if plateau and is_scheduled(optimizer):
        raise ValueError(
            "ReduceLROnPlateau cannot change a learning rate that a schedule sets: leave one "
            "of the two out, e.g. kcnn.callbacks.standard(plateau=False)."
        )
    early = (each for each in callbacks if isinstance(each, keras.callbacks.EarlyStopping))
    if optimizer.use_ema and not all(each.restore_best_weights for each in early):
        raise ValueError(
            "EarlyStopping with averaged weights (ema) needs restore_best_weights=True: Keras "
            "would end with the plain weights."
        )
