"""ResNet-8 of MLPerf Tiny on CIFAR-10, without a teacher.

    kcnn run resnet8

Banbury et al., "MLPerf Tiny Benchmark" (arXiv:2106.07597): 78,666 parameters, 12.5 million
multiply-accumulates. Its int8 reference file reaches 86.97 % on the 10,000 test images. A better
model can teach it, here one that a run has left:

    kcnn run resnet8 --set 'distill={"teacher": "runs/resnet20", "alpha": 0.9}' --control

Not run whole yet. `kcnn run resnet8_int8`, with ResNet-20 as the teacher, reached 88.6 %.
"""

from kcnn.cli import run_file
from kcnn.recipe import Data, Model, Quantize, Recipe, Train

recipe = Recipe(
    data=Data(validation=0.02),
    model=Model(name="resnet8"),
    train=Train(
        epochs=200,
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
