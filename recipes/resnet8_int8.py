"""ResNet-8 of MLPerf Tiny on CIFAR-10, as the int8 file that a microcontroller runs.

    kcnn run resnet8_int8

Banbury et al., "MLPerf Tiny Benchmark" (arXiv:2106.07597): 78,666 parameters, 12.5 million
multiply-accumulates. Its int8 reference file reaches 86.97 % on the 10,000 test images.

The published ResNet-20 is its teacher, with the temperature and the weight of Tian et al.,
"Contrastive Representation Distillation" (arXiv:1910.10699). It then was one of 89.95 %, trained
without label smoothing; with that of today, for which `resnet8` has other settings, the result will
be another one. These settings were fixed before the run. 1,000 images are for validation and the
others for training. Calibration uses 1,000 images: the int8 outputs on 5,096 training and
validation images are then closer to the float outputs than with 300 (mean squared error 0.028
instead of 0.031). This was found after the file made with 300 images had been scored, with 88.37 %
on the test set.

Reached with seed 0 on the 10,000 test images: 88.49 % as int8 and 88.59 % in float32; trained for
int8 for two more epochs, 88.72 % as int8; trained in floats for two more epochs, 88.69 % as int8.
(With a scale for each output of the dense layer, as kcnn wrote these files at first, it was 88.51,
88.64 and 88.68 %.) It took 152 minutes on two cores of a Xeon at 2.5 GHz without AMX that also did
other work. In the last epoch it reached 91.0 % on its augmented training images. Without a teacher
it reached 93.8 % on them, and 88.43 % on the test images in float32.
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
    distill=Distill(teacher="resnet20", temperature=4.0, alpha=0.9),
    prune=None,
    quantize=Quantize(samples=1000),
    quantize_aware=QuantizeAware(epochs=2),
)

if __name__ == "__main__":
    run_file(__file__)
