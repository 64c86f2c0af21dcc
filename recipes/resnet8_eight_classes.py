"""ResNet-8 on eight classes of CIFAR-10, without cats and dogs: the base of `transfer_classes`.

    kcnn run resnet8_eight_classes

Banbury et al., "MLPerf Tiny Benchmark" (arXiv:2106.07597), for the network. Another network has
never seen what it is then taught: see `kcnn run transfer_classes`.

Reached with seed 0, on 39,200 training images: 90.62 % of the 8,000 test images of these classes,
90.64 % as int8. It took 37 minutes on two cores of an EPYC of Zen 3 that also did other work.
"""

from kcnn.cli import run_file
from kcnn.recipe import Data, Model, Recipe, Train

SEEN = ("airplane", "automobile", "bird", "deer", "frog", "horse", "ship", "truck")

recipe = Recipe(
    data=Data(classes=SEEN, validation=0.02),
    model=Model(name="resnet8"),
    train=Train(
        epochs=40,
        optimizer="sgd",
        learning_rate=0.1,
        schedule="cosine",
        warmup_epochs=1,
        keep="last",
        weight_decay=5e-3,
        ema=0.999,
    ),
    prune=None,
)

if __name__ == "__main__":
    run_file(__file__)
