"""ResNet-8 of MLPerf Tiny on CIFAR-10, as the int8 file that a microcontroller runs.

    kcnn run resnet8_int8

Banbury et al., "MLPerf Tiny Benchmark" (arXiv:2106.07597): 78,666 parameters, 12.5 million
multiply-accumulates. Its reference file in int8 answers 86.97 % of the 10,000 test images.

ResNet-20 teaches it, with the temperature and the share of Tian et al., "Contrastive Representation
Distillation" (arXiv:1910.10699). Settings were fixed before the run; 1,000 training images watch
over it, the others train.
"""

from kcnn.cli import run_file
from kcnn.recipe import Data, Distill, Model, Recipe, Train

recipe = Recipe(
    data=Data(batch_size=256, validation=0.02),
    model=Model(name="resnet8"),
    train=Train(
        epochs=120,
        optimizer="sgd",
        learning_rate=0.2,
        schedule="cosine",
        warmup_epochs=2,
        weight_decay=4e-3,
        ema=0.999,
    ),
    distill=Distill(teacher="saved_models/resnet20", temperature=4.0, alpha=0.9),
    prune=None,
)

if __name__ == "__main__":
    run_file(__file__)
