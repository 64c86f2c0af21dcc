"""Where a training computes: the place for everything that depends on the number of devices.

One device is what is supported. A model that was built under a `tf.distribute` strategy gets its
batches distributed, as Keras's own `fit` does; a `keras.distribution` is refused, because every
device would compute the whole batch.
"""

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    import tensorflow as tf


def check_devices() -> None:
    """Refuse a distribution that the training loop would ignore.

    Raises:
        ValueError: `keras.distribution.set_distribution` is in force.
    """
    distribution = keras.distribution.distribution()
    if distribution is not None:
        raise ValueError(
            "kcnn trains on one device, and every device of a keras.distribution would compute the "
            "whole batch: call keras.distribution.set_distribution(None). "
            f"Received: {type(distribution).__name__}"
        )


def distribute(dataset: "tf.data.Dataset", model: keras.Model) -> Any:
    """Return the batches as the strategy hands them out under which `model` was built."""
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return dataset
    return strategy.experimental_distribute_dataset(dataset)


def to_accelerator(*arrays: Any) -> tuple[Any, ...]:
    """Return the arrays in the memory of JAX's default device."""
    import jax

    return tuple(jax.device_put(array) for array in arrays)
