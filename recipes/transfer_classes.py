"""Cats and dogs from 50 labels each: transfer from eight other classes, or from scratch.

    kcnn run transfer_classes

The base is the published ResNet-8 of `kcnn run resnet8_eight_classes`, which knows the eight other
classes of CIFAR-10: it has seen neither a cat nor a dog. It is frozen, or its last unit is
fine-tuned after the head; both are compared with the same network trained from scratch on the same
100 images. Unlike handwritten digits (`kcnn run transfer_digits`), these are images of the kind
that the base knows. Yosinski et al., "How transferable are features in deep neural networks?"
(arXiv:1411.1792).

Reached with 3 seeds on 2,000 test images: 60.0 +- 1.2 % from scratch, 68.1 +- 2.6 with the base
frozen, 70.9 +- 0.8 with its last unit fine-tuned. A guess is right in half of the cases.

Size: 80 training and 20 validation images, all 2,000 test images, 3 variants x 3 seeds x 60 epochs.
"""

from kcnn.cli import run_file
from kcnn.comparison import Comparison
from kcnn.recipe import Data, Model, Recipe, Train, Transfer

BASE = "resnet8_eight_classes"


def trained(learning_rate: float, epochs: int = 60, transfer: Transfer | None = None) -> Recipe:
    """Return the recipe of ResNet-8 on few cats and dogs."""
    return Recipe(
        data=Data(classes=("cat", "dog"), per_class=50, validation=0.2, batch_size=20),
        model=Model(name="resnet8"),
        train=Train(
            epochs=epochs,
            optimizer="adam",
            learning_rate=learning_rate,
            schedule="cosine",
            warmup_epochs=2,
        ),
        transfer=transfer,
    )


comparison = Comparison(
    question="What is a network that knows other animals worth for 50 cats and 50 dogs?",
    variants={
        "from scratch": trained(3e-3),
        "frozen body": trained(1e-2, transfer=Transfer(base=BASE)),
        "head, then last unit": trained(
            1e-3,
            epochs=40,
            transfer=Transfer(base=BASE, trainable_from="stage3_block1_conv1", head_epochs=20),
        ),
    },
    seeds=(0, 1, 2),
)

if __name__ == "__main__":
    run_file(__file__)
