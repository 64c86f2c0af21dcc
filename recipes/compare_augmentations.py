"""Seven augmentations on CIFAR-10: what each is worth to a ResNet. 90 minutes.

    kcnn run compare_augmentations

A ResNet-20 of half the usual width is trained on images as they are, shifted, mirrored, both, and
with cutout (arXiv:1708.04552), mixup (arXiv:1710.09412) and CutMix (arXiv:1905.04899) besides.
Training accuracy falls with each, because the training images become harder; what counts is the
test accuracy. Strong augmentation pays in long trainings: with few epochs it may cost accuracy.

Not run whole yet.

Size: 22,500 training images, 7 variants x 3 seeds x 20 epochs of some 12 seconds on two cores.
"""

from kcnn.cli import run_file
from kcnn.comparison import Comparison
from kcnn.recipe import Data, Model, Recipe, Train

AUGMENTATIONS = ("none", "shift", "mirror", "standard", "cutout", "mixup", "cutmix")


def trained(augment: str) -> Recipe:
    """Return the recipe of the narrow ResNet-20 with this augmentation."""
    return Recipe(
        data=Data(limit=25_000, augment=augment),
        model=Model(name="resnet20", options={"width": 8}),
        train=Train(
            epochs=20,
            optimizer="sgd",
            learning_rate=0.1,
            schedule="cosine",
            warmup_epochs=1,
            weight_decay=5e-3,
        ),
    )


comparison = Comparison(
    question="What is each augmentation worth to a small ResNet in 20 epochs?",
    variants={augment: trained(augment) for augment in AUGMENTATIONS},
    seeds=(0, 1, 2),
)

if __name__ == "__main__":
    run_file(__file__)
