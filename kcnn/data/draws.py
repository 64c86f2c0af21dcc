"""TensorFlow's random numbers as pure functions of a seed: no generator has a state."""

from typing import Any

import tensorflow as tf

# Its type stubs lack the shuffle, and they refuse tensors in shapes and seeds.
_random: Any = tf.random


def split(seed: Any, count: int) -> tf.Tensor:
    """Return `count` new seeds, int64 [count, 2]."""
    return _random.split(seed, count)


def fold_in(seed: tf.Tensor, number: int) -> tf.Tensor:
    """Return a new seed, int64 [2], for each number."""
    return _random.fold_in(seed, number)


def shuffle(values: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return the values [N] in random order."""
    return _random.experimental.stateless_shuffle(values, seed)


def integers(shape: Any, seed: tf.Tensor, below: int) -> tf.Tensor:
    """Draw int32 numbers from 0 to `below` - 1."""
    return _random.stateless_uniform(shape, seed, 0, below, tf.int32)


def floats(shape: Any, seed: tf.Tensor, lowest: float = 0.0, highest: float = 1.0) -> tf.Tensor:
    """Draw float32 numbers from `lowest` up to `highest`."""
    return _random.stateless_uniform(shape, seed, lowest, highest)
