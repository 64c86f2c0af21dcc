"""LeNet-5 in its modern form on CIFAR-10.

    kcnn run lenet5

LeCun et al., "Gradient-based learning applied to document recognition" (1998).
"""

from kcnn.cli import run_file
from kcnn.recipe import Model, Prune, Recipe, Train

recipe = Recipe(
    model=Model(name="lenet5"),
    train=Train(epochs=60, learning_rate=2e-3, schedule="cosine"),
    prune=Prune(epochs=8),
)

if __name__ == "__main__":
    run_file(__file__)
