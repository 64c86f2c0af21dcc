"""LeNet-5 in its modern variant on CIFAR-10: 62,006 parameters.

    kcnn run lenet5

LeCun et al., "Gradient-based learning applied to document recognition" (1998), with ReLU and max
pooling. Others report 75 % with shifts and flips after 200 epochs (BIGBALLON/cifar-10-cnn); this
shorter recipe has not been run in full yet.
"""

from kcnn.cli import run_file
from kcnn.recipe import Model, Prune, Recipe, Train

recipe = Recipe(
    model=Model(name="lenet5", options={"variant": "modern"}),
    train=Train(
        epochs=60,
        optimizer="sgd",
        learning_rate=0.02,
        schedule="cosine",
        warmup_epochs=1,
        weight_decay=5e-4,
    ),
    prune=Prune(epochs=4, learning_rate=2e-4),
)

if __name__ == "__main__":
    run_file(__file__)
