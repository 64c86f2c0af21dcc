"""LeNet-5 as in the paper of 1998, on CIFAR-10: tanh, trainable subsampling, 60 links in C3.

    kcnn run lenet5_1998

LeCun et al., "Gradient-based learning applied to document recognition" (1998). The paper reads
digits; no accuracy of this network on CIFAR-10 is published. `kcnn run lenet5` trains the modern
variant beside it.

Reached with seed 0, on 49,000 training images: 71.42 % of the 10,000 test images, 71.39 % as int8.
It underfits: 75.0 % of the augmented training images are right in the last epoch, and the modern
variant reaches 76.94 %. It took 16 minutes on two cores of an EPYC of Zen 3 that also did other
work.
"""

from kcnn.cli import run_file
from kcnn.recipe import Data, Model, Recipe, Train

recipe = Recipe(
    data=Data(augment="alternating", validation=0.02),
    model=Model(name="lenet5"),
    train=Train(
        epochs=100,
        optimizer="sgd",
        learning_rate=0.01,
        schedule="cosine",
        warmup_epochs=1,
        keep="last",
        weight_decay=1e-3,
        ema=0.999,
    ),
    prune=None,
)

if __name__ == "__main__":
    run_file(__file__)
