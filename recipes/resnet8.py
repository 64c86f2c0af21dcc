"""ResNet-8 of MLPerf Tiny on CIFAR-10: 200 epochs with the published ResNet-20 as its teacher.

    kcnn run resnet8
    kcnn run resnet8 --control

Banbury et al., "MLPerf Tiny Benchmark" (arXiv:2106.07597): 78,666 parameters, 12.5 million
multiply-accumulates. Its int8 reference file reaches 86.97 % on the 10,000 test images. The second
command also trains it without the teacher. The teacher was trained with label smoothing, and a
student learns more from such a teacher at temperature 1 (Chandrasegaran et al., "Revisiting Label
Smoothing and Knowledge Distillation Compatibility: What was Missing?", arXiv:2206.14532).

Not run whole yet. `kcnn run resnet8_int8`, 120 epochs with an earlier ResNet-20 of 89.95 %, reached
88.59 % in floats and 88.72 % as int8. On two cores of an AMD EPYC of Zen 3 an epoch takes 75 to 90
seconds, and all of it four to five hours.
"""

from kcnn.cli import run_file
from kcnn.recipe import Data, Distill, Model, Quantize, QuantizeAware, Recipe, Train

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
        weight_decay=4e-3,
        ema=0.999,
    ),
    distill=Distill(teacher="resnet20", temperature=1.0, alpha=0.9),
    prune=None,
    quantize=Quantize(samples=1000),
    quantize_aware=QuantizeAware(epochs=4, distill=True),
)

if __name__ == "__main__":
    run_file(__file__)
