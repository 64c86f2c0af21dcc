"""Where a training computes: the place for everything that depends on the number of devices.

One device is what is supported: a setting for several is refused, not ignored.
"""

from typing import Any

import keras


def check_devices(model: keras.Model) -> None:
    """Refuse a distribution over several devices.

    Raises:
        ValueError: `keras.distribution.set_distribution` is in force, under which every device
            would compute the whole batch, or `model` was built under a `tf.distribute` strategy of
            several replicas.
    """
    distribution = keras.distribution.distribution()
    if distribution is not None:
        raise ValueError(
            "kcnn trains on one device, and every device of a keras.distribution would compute the "
            "whole batch: call keras.distribution.set_distribution(None). "
            f"Received: {type(distribution).__name__}"
        )
    strategy: Any = getattr(model, "distribute_strategy", None)  # of TensorFlow's models only
    if strategy is not None and strategy.num_replicas_in_sync > 1:
        raise ValueError(
            "kcnn trains on one device: build the model outside of the strategy's scope, or train "
            f"it by its own fit. Received: {type(strategy).__name__}"
        )


def to_accelerator(*arrays: Any) -> tuple[Any, ...]:
    """Return the arrays in the memory of JAX's default device."""
    import jax

    return tuple(jax.device_put(array) for array in arrays)
