"""A few steps of an optimizer, with the same numbers on every backend."""

import keras
import numpy as np

SHAPES = {
    "stem/kernel": (3, 3, 3, 4),
    "conv/kernel": (2, 2, 5, 4),
    "conv/bias": (4,),
    "hidden/kernel": (6, 9),
    "logits/kernel": (9, 3),
}
STEPS = 4


def values():
    """Return the weights before the first step."""
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape) for name, shape in SHAPES.items()}


def gradients():
    """Return those of each step."""
    rng = np.random.default_rng(1)
    return [{name: rng.normal(size=SHAPES[name]) for name in SHAPES} for _ in range(STEPS)]


def trained(optimizer):
    """Return the weights after the steps, by name."""
    variables = {
        name: keras.Variable(value.astype("float32"), name=name.split("/")[1], dtype="float32")
        for name, value in values().items()
    }
    for each in gradients():
        tensors = [keras.ops.convert_to_tensor(value, "float32") for value in each.values()]
        optimizer.apply(tensors, list(variables.values()))
    return {name: keras.ops.convert_to_numpy(each) for name, each in variables.items()}
