"""A first CNN on CIFAR-10: two convolutions and a hidden dense layer.

kcnn run simple_cnn
"""

from kcnn.cli import run_file
from kcnn.recipe import Model, Prune, Recipe, Train

recipe = Recipe(
    model=Model(name="simple_cnn"),
    train=Train(epochs=60, learning_rate=2e-3, schedule="cosine"),
    prune=Prune(epochs=8),
)

if __name__ == "__main__":
    run_file(__file__)
