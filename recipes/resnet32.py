"""ResNet-32 on CIFAR-10: 120 epochs with cutout.

    kcnn run resnet32

He et al., "Deep residual learning for image recognition" (arXiv:1512.03385), section 4.2, report
92.49 %, after 182 epochs; others 93.53 %, the best of 200 (chenyaofo/pytorch-cifar-models).

Not run whole yet.
"""

from kcnn.cli import run_file
from kcnn.recipe import Data, Model, Quantize, Recipe, Train

recipe = Recipe(
    data=Data(augment="cutout", validation=0.02),
    model=Model(name="resnet32"),
    train=Train(
        epochs=120,
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
