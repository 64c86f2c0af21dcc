"""VGG-11 with batch norm on CIFAR-10.

    kcnn run vgg11

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition"
(arXiv:1409.1556), with the batch norm and the small head that are usual on CIFAR-10. Others report
92.79 % for such a network, the best of 200 epochs (chenyaofo/pytorch-cifar-models).

Not run whole yet.
"""

from kcnn.cli import run_file
from kcnn.recipe import Data, Model, Quantize, Recipe, Train

recipe = Recipe(
    data=Data(augment="cutout", validation=0.02),
    model=Model(name="vgg11"),
    train=Train(
        epochs=80,
        optimizer="sgd",
        learning_rate=0.1,
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
