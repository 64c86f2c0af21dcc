"""Network in Network on CIFAR-10, with batch norm.

    kcnn run nin

Lin et al., "Network In Network" (arXiv:1312.4400), report 91.19 % without batch norm, which is
younger. Others reach 91.63 % (BIGBALLON/cifar-10-cnn), the best of 200 epochs. With batch norm it
learns at the learning rate of the residual networks; without it, that rate makes it diverge. The
batch norms fold into the convolutions: the exported network has the paper's 966,986 parameters.

Not run whole yet.
"""

from kcnn.cli import run_file
from kcnn.recipe import Data, Model, Quantize, Recipe, Train

recipe = Recipe(
    data=Data(validation=0.02),
    model=Model(name="nin", options={"batch_norm": True}),
    train=Train(
        epochs=100,
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
