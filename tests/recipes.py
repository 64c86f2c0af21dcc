"""Recipes that several tests run."""

from kcnn.recipe import Data, Model, Recipe, Train

TINY = Recipe(
    data=Data(name="digits", limit=60, batch_size=16, validation=0.2),
    model=Model(name="mlp", options={"units": 8, "depth": 1}),
    train=Train(epochs=1),
    prune=None,
    quantize=None,
    explain=None,
)
"""One epoch of a perceptron on a few digits, and nothing else: a second or two."""
