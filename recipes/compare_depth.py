"""What residual connections solve: plain networks and ResNets of 20 and 56 layers. 48 minutes.

    kcnn run compare_depth

He et al., "Deep residual learning for image recognition" (arXiv:1512.03385), figure 6: without
shortcuts the deeper network is worse, even on the training images, so this is not overfitting; with
shortcuts the deeper network is better. This recipe has half of the paper's filters, a fifth of the
images and few epochs.

Reached: plain 20 and 56 layers 54.3 and 27.9 % of the training images (54.5 +- 3.3 and 29.1 +- 1.7
% of the test images), ResNet-20 and -56 63.0 and 62.1 % (61.5 +- 1.2 and 61.0 +- 3.1 %), means of
three seeds. So shortcuts end the degradation; whether the deeper network is then better, these
short trainings cannot say.

Size: 9,000 training images, 4 variants x 10 epochs of 13 and 34 seconds on two cores, three seeds.
"""

from kcnn.cli import run_file
from kcnn.comparison import Comparison
from kcnn.recipe import Data, Model, Recipe, Train


def trained(depth: int, shortcut: str) -> Recipe:
    """Return the recipe of a ResNet of half the usual width, with or without shortcuts."""
    return Recipe(
        data=Data(limit=10_000, batch_size=64),
        model=Model(name=f"resnet{depth}", options={"width": 8, "shortcut": shortcut}),
        train=Train(
            epochs=10, optimizer="sgd", learning_rate=0.05, schedule="cosine", warmup_epochs=1
        ),
    )


comparison = Comparison(
    question="Does a deeper network learn better, with and without residual links?",
    variants={
        "plain 20": trained(20, "none"),
        "plain 56": trained(56, "none"),
        "ResNet-20": trained(20, "A"),
        "ResNet-56": trained(56, "A"),
    },
    seeds=(0, 1, 2),
)

if __name__ == "__main__":
    run_file(__file__)
