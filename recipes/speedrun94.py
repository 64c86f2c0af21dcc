"""A fast way to 94 % on CIFAR-10: airbench94 in Keras.

    kcnn run speedrun94

Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (arXiv:2404.00498): 1.97 million
parameters, 118 million multiply-accumulates. The settings are those of the paper in Keras's terms:
a learning rate for the mean of the loss, and coupled weight decay. Two things differ. It takes 528
steps on 49,200 images instead of 476 on 50,000: one epoch more, because validation takes some
images away and the paper's mean of 94.01 % leaves no margin. And the bias of the whitening layer is
trained to the end, while the paper stops after three epochs. The score "TTA: flip_shift" averages
six views of each image, as in the paper; the report also has the score without it.

Measured with seeds 0, 1 and 2, mean and standard deviation on all 10,000 test images: 94.30 % +-
0.12 with TTA, 93.42 % +- 0.16 without, in 35 to 44 minutes of training on two cores of a Xeon at
2.5 GHz without AMX, in float32; other programs ran during the longest. With ten epochs seed 0 had
reached 93.96 %; this was known before eleven epochs were chosen.

With Muon for the filters (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/) eight
epochs reach 93.90 % +- 0.11 with TTA, 93.11 % +- 0.20 without, with the same seeds, in 16 to 18
minutes of training on two cores of an AMD EPYC (Zen 4), in bfloat16. Its settings are in
`benchmarks/receipts/speedrun94_muon_seed0/recipe.json`.
"""

from kcnn.cli import run_file
from kcnn.recipe import Data, Model, Recipe, Train

recipe = Recipe(
    data=Data(batch_size=1024, augment="alternating", validation=0.016),
    model=Model(name="speed_net"),
    train=Train(
        epochs=11,
        optimizer="sgd",
        learning_rate=1.5,
        schedule="triangle",
        momentum=0.85,
        weight_decay=0.00133,
        decay="coupled",
        decay_everything=True,
        norm_bias_rate=64.0,
        label_smoothing=0.2,
        lookahead=True,
    ),
    prune=None,
    tta="flip_shift",
)

if __name__ == "__main__":
    run_file(__file__)
