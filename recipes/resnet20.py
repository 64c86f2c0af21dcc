"""ResNet-20 on CIFAR-10.

    kcnn run resnet20

He et al., "Deep residual learning for image recognition" (arXiv:1512.03385), section 4.2.
"""

from kcnn.cli import run_file
from kcnn.recipe import Model, Prune, Recipe, Train

recipe = Recipe(
    model=Model(name="resnet20"),
    train=Train(
        epochs=28,
        optimizer="sgd",
        learning_rate=0.1,
        schedule="cosine",
        warmup_epochs=2,
        weight_decay=5e-3,
    ),
    prune=Prune(epochs=3, learning_rate=1e-3),
)

if __name__ == "__main__":
    run_file(__file__)
