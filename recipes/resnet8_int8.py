"""ResNet-8 of MLPerf Tiny on CIFAR-10, as the int8 file that a microcontroller runs.

    kcnn run resnet8_int8

Banbury et al., "MLPerf Tiny Benchmark" (arXiv:2106.07597): 78,666 parameters, 12.5 million
multiply-accumulates. Its reference file in int8 answers 86.97 % of the 10,000 test images.

ResNet-20 teaches it, with the temperature and the share of Tian et al., "Contrastive Representation
Distillation" (arXiv:1910.10699). These settings were fixed before the run; 1,000 training images
watch over it, the others train. 1,000 images calibrate: on 5,096 training and validation images the
answers in int8 are then nearer to those in floats than with 300 (mean squared error 0.028, not
0.031). That was looked at after the file of 300 had been scored, with 88.37 % of the test.

Reached with seed 0, of the 10,000 test images: 88.51 % as int8, 88.59 % in float32; trained on for
int8 for two epochs 88.64 % as int8, as long in floats 88.68 % as int8. It took 152 minutes on two
cores of a Xeon at 2.5 GHz without AMX that other work shared. In the last epoch it answered
91.0 % of its augmented training images; without a teacher it was 93.8 % of them, and 88.43 % of the
test images in float32.
"""

from kcnn.cli import run_file
from kcnn.recipe import Data, Distill, Model, Quantize, QuantizeAware, Recipe, Train

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
    quantize=Quantize(samples=1000),
    quantize_aware=QuantizeAware(epochs=2),
)

if __name__ == "__main__":
    run_file(__file__)
