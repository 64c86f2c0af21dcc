"""On which devices a training computes: Keras's own settings, honored or refused by name.

On JAX a training follows `keras.distribution.set_distribution(DataParallel())`, on TensorFlow the
`MirroredStrategy` in whose scope the model was built. `several` makes either.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import keras

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData

Devices = int | Literal["all"]
"""How many devices a training computes on: the first ones, or all."""


def check_devices(model: keras.Model, data: "Data | JaxData") -> None:
    """Refuse a distribution that a training cannot follow.

    Raises:
        ValueError: Keras's distribution is none of whole models, or on TensorFlow; the strategy of
            `model` is no MirroredStrategy; or a batch cannot be shared equally.
    """
    distribution = keras.distribution.distribution()
    if distribution is not None:
        _check_distribution(distribution)
        check_shares(data, distribution.device_mesh.devices.size)
    strategy = _strategy_of(model)
    if strategy is None:
        return
    import tensorflow as tf

    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        raise ValueError(
            "Keras 3 cannot train under MultiWorkerMirroredStrategy "
            "(https://github.com/keras-team/keras/issues/20585): for several machines set "
            "KERAS_BACKEND=jax and use --devices all, or keras.distribution."
        )
    if not isinstance(strategy, tf.distribute.MirroredStrategy):
        raise ValueError(
            "kcnn trains on one device, or under tf.distribute.MirroredStrategy: build the model "
            f"in its scope, or outside of any. Received: {type(strategy).__name__}"
        )
    check_shares(data, strategy.num_replicas_in_sync)


def _check_distribution(distribution: Any) -> None:
    if keras.config.backend() != "jax":
        raise ValueError(
            "keras.distribution works on JAX only: on TensorFlow call "
            "keras.distribution.set_distribution(None), and build the model in the scope of a "
            f"tf.distribute.MirroredStrategy. Received: {type(distribution).__name__}"
        )
    if not isinstance(distribution, keras.distribution.DataParallel):
        raise ValueError(
            "kcnn trains with the whole model on every device: call "
            "keras.distribution.set_distribution(keras.distribution.DataParallel()), or "
            f"set_distribution(None). Received: {type(distribution).__name__}"
        )
    if distribution.device_mesh.devices.ndim != 1:
        raise ValueError(
            "A DataParallel needs its devices in one row: DataParallel(devices=[...]). "
            f"Received: devices in the shape {distribution.device_mesh.devices.shape}"
        )


def check_shares(data: "Data | JaxData", devices: int) -> None:
    """Refuse batches that cannot be shared equally among devices.

    Raises:
        ValueError: The batch size is no multiple of the number of devices.
    """
    batch_size = batch_size_of(data)
    if batch_size % devices:
        below, above = batch_size // devices * devices, -(-batch_size // devices) * devices
        raise ValueError(
            f"A batch of {batch_size} images cannot be shared equally among {devices} devices: "
            f"pass a batch_size (--set data.batch_size=...) of {below or above} or {above}."
        )


def batch_size_of(data: "Data | JaxData") -> int:
    """Return the images of one training batch, 0 for data of the user's own without a fixed one."""
    if (size := getattr(data, "batch_size", None)) is not None:
        return size
    spec: Any = data.train.element_spec  # pyright: ignore[reportAttributeAccessIssue]
    return spec[0].shape[0] or 0


def scope_of(model: keras.Model) -> AbstractContextManager:
    """Return the scope in which the variables of an optimizer for `model` have to be made."""
    strategy = _strategy_of(model)
    return nullcontext() if strategy is None else strategy.scope()


def check_optimizer(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    """Refuse an optimizer whose variables are on one device, where the model is on several.

    Raises:
        ValueError: It was made outside of the strategy's scope.
    """
    strategy, step = _strategy_of(model), getattr(optimizer.iterations, "value", None)
    if strategy is not None and not hasattr(step, "distribute_strategy"):
        raise ValueError(
            "Make the optimizer in the scope of the model's strategy, or pass its name: "
            f"optimizer='adam'. Received: {type(optimizer).__name__}"
        )


def _strategy_of(model: keras.Model) -> Any:
    """Return the `tf.distribute` strategy of a model on several devices, None on a single one."""
    strategy: Any = getattr(model, "distribute_strategy", None)  # of TensorFlow's models only
    return strategy if strategy is not None and strategy.num_replicas_in_sync > 1 else None


def several(devices: Devices | None) -> Any:
    """Return what spreads a training over devices, by its `scope()`: None for a single one.

    On JAX it is a `keras.distribution.DataParallel`, on TensorFlow a `MirroredStrategy`.

    Args:
        devices: How many; "all" for all, those of other processes included; None for what Keras is
            set to.

    Raises:
        ValueError: There are not so many.
    """
    if devices is None:
        return None
    on_jax = keras.config.backend() == "jax"
    names = keras.distribution.list_devices() if on_jax else _tensorflow_devices()
    if devices != "all" and not 1 <= devices <= len(names):
        raise ValueError(
            f"There {'is 1 device' if len(names) == 1 else f'are {len(names)} devices'} here: pass "
            f"devices='all', or at most {len(names)}. Received: devices={devices}"
        )
    names = names if devices == "all" else names[:devices]
    if len(names) == 1:
        return None
    if on_jax:
        return keras.distribution.DataParallel(devices=names)
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(names)


def scope_in(engine: Any) -> AbstractContextManager:
    """Return the scope of what `several` returned."""
    return nullcontext() if engine is None else engine.scope()


def build_scope_in(engine: Any) -> AbstractContextManager:
    """Return the scope in which a model for what `several` returned has to be built.

    On JAX it is built outside of any: under Keras's distribution, processes have to make each
    variable at the same time, and only the training is common to them.
    """
    on_jax = isinstance(engine, keras.distribution.DataParallel)
    return nullcontext() if on_jax else scope_in(engine)


def count_of(engine: Any) -> int:
    """Return on how many devices what `several` returned computes."""
    if engine is None:
        return 1
    if isinstance(engine, keras.distribution.DataParallel):
        return engine.device_mesh.devices.size
    return engine.num_replicas_in_sync


def _tensorflow_devices() -> list[str]:
    import tensorflow as tf

    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return [device.name for device in tf.config.list_logical_devices(kind)]
