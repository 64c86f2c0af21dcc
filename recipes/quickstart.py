"""Digits in two minutes: a small CNN on scikit-learn's 1,797 handwritten digits, no download.

    kcnn run quickstart

It does everything that a full run does, on real images that come with scikit-learn.
"""

from kcnn.cli import run_file
from kcnn.recipe import Data, Explain, Model, Prune, Recipe, Train

recipe = Recipe(
    data=Data(name="digits", batch_size=64, augment="shift"),
    model=Model(name="simple_cnn"),
    train=Train(epochs=12),
    prune=Prune(epochs=3),
    explain=Explain(images=8),
)

if __name__ == "__main__":
    run_file(__file__)
