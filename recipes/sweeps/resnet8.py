"""A search for int8 networks of the kind of ResNet-8 on CIFAR-10; accuracy against size.

    kcnn tune resnet8 --max-bytes 100000

The network is that of MLPerf Tiny (Banbury et al., arXiv:2106.07597), whose width is searched
beside the settings of its training. Each trial is a run of its own, on 10,000 of the
training images so that an evening on two cores is enough for many of them: the front shows which
networks are worth a long training, not what they reach in one.
"""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from kcnn.cli import run_file
from kcnn.recipe import Data, Model, Quantize, Recipe, Train
from kcnn.sweep import Sweep

sweep = Sweep(
    recipe=Recipe(
        data=Data(batch_size=128, limit=10_000),
        model=Model(name="resnet8"),
        train=Train(
            epochs=12, optimizer="sgd", learning_rate=0.1, schedule="cosine", warmup_epochs=1
        ),
        prune=None,
        quantize=Quantize(samples=300),
        explain=None,
    ),
    space={
        "model.options.width": IntDistribution(8, 24, step=4),
        "train.learning_rate": FloatDistribution(0.02, 0.5, log=True),
        "train.weight_decay": FloatDistribution(1e-4, 1e-2, log=True),
        "data.augment": CategoricalDistribution(["standard", "cutout", "none"]),
    },
)

if __name__ == "__main__":
    run_file(__file__, "tune")
