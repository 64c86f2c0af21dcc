"""Four optimizers on CIFAR-10: SGD with momentum, Adam, AdamW, RMSprop. 22 minutes.

    kcnn run compare_optimizers

The same simple CNN is trained from the same three seeds for 8 epochs with the same cosine schedule.
Every optimizer has the learning rate that is usual for it; SGD has Nesterov momentum, as always in
kcnn. Wilson et al., "The marginal value of adaptive gradient methods" (arXiv:1705.08292) found that
tuned SGD generalizes at least as well as adaptive optimizers; Loshchilov & Hutter
(arXiv:1711.05101) is the paper of AdamW.

Found with 3 seeds, in test accuracy: SGD 70.7 +- 0.4 %, AdamW 65.5 +- 0.4, Adam 65.0 +- 0.8,
RMSprop 64.9 +- 0.5. Every training by SGD is ahead of every other one by more than four points.
With a learning rate of 2e-3, Adam left this network's dense layer dead: 17 % after 7 epochs.

Size: 45,000 training images, 4 variants x 3 seeds x 8 epochs of 13 seconds on two cores.
"""

from typing import Literal

from kcnn.cli import run_file
from kcnn.comparison import Comparison
from kcnn.recipe import Model, Recipe, Train

Optimizer = Literal["adam", "adamw", "rmsprop", "sgd"]


def trained(optimizer: Optimizer, learning_rate: float, weight_decay: float = 0.0) -> Recipe:
    """Return the recipe of the simple CNN with this optimizer."""
    return Recipe(
        # Augmentation regularizes enough; more dropout would hide the optimizers' differences.
        model=Model(name="simple_cnn", options={"spatial_dropout": 0.0, "dropout": 0.1}),
        train=Train(
            epochs=8,
            optimizer=optimizer,
            learning_rate=learning_rate,
            schedule="cosine",
            warmup_epochs=0.5,
            weight_decay=weight_decay,
        ),
    )


comparison = Comparison(
    question="Which optimizer learns CIFAR-10 best in 8 epochs?",
    variants={
        "SGD, momentum 0.9": trained("sgd", 0.04),
        "Adam": trained("adam", 1e-3),
        "AdamW": trained("adamw", 1e-3, weight_decay=0.05),
        "RMSprop": trained("rmsprop", 1e-3),
    },
    seeds=(0, 1, 2),
)

if __name__ == "__main__":
    run_file(__file__)
