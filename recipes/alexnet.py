"""AlexNet for 32x32 pixels on CIFAR-10, with its groups and its local response normalization.

    kcnn run alexnet

Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks" (2012). Their
smaller network for CIFAR-10 reaches 89 % with local response normalization and 87 % without
(section 3.3), in hundreds of epochs with ten views of each test image. This one has all five
convolutions, 5.7 million parameters and no batch norm, hence the small learning rate.

Not run whole yet.
"""

from kcnn.cli import run_file
from kcnn.recipe import Data, Model, Quantize, Recipe, Train

recipe = Recipe(
    data=Data(augment="cutout", validation=0.02),
    model=Model(name="alexnet"),
    train=Train(
        epochs=80,
        optimizer="sgd",
        learning_rate=0.01,
        schedule="cosine",
        warmup_epochs=1,
        keep="last",
        weight_decay=5e-3,
        ema=0.999,
        label_smoothing=0.1,
    ),
    prune=None,
    quantize=Quantize(samples=1000),
)

if __name__ == "__main__":
    run_file(__file__)
