"""The pieces that the model families share. Each can be used alone in a notebook.

A piece is a short list of named layers. `keras.Sequential([*piece, ...])` takes them as they are;
in a functional model, `apply(piece, x)` sends a tensor through them.

>>> import keras
>>> image = keras.Input((32, 32, 3))
>>> x = apply(conv_block(16, 3, name="conv1", activation="elu", dropout=0.1), image)
>>> apply(pool("max", name="pool1"), x).shape
(None, 16, 16, 16)
"""

from kcnn.checks import check_count
from kcnn.models.blocks.activations import (
    ACTIVATIONS,
    INITIALIZERS,
    Initializer,
    activation,
    dropout,
    initializer,
    scaled_tanh,
)
from kcnn.models.blocks.checks import check_flag, check_rank, check_rate
from kcnn.models.blocks.convolutions import (
    apply,
    conv,
    conv_block,
    conv_bn,
    dense_block,
    grouped_conv,
)
from kcnn.models.blocks.ends import (
    CIFAR10_MEAN,
    CIFAR10_STD,
    NORMALIZATIONS,
    Scaling,
    image_input,
    logits,
    normalize,
)
from kcnn.models.blocks.norms import BATCH_NORM_MOMENTUM, NORMS, batch_norm, norm
from kcnn.models.blocks.pooling import POOLINGS, global_pool, pool

__all__ = [
    "ACTIVATIONS",
    "BATCH_NORM_MOMENTUM",
    "CIFAR10_MEAN",
    "CIFAR10_STD",
    "INITIALIZERS",
    "Initializer",
    "NORMALIZATIONS",
    "NORMS",
    "POOLINGS",
    "Scaling",
    "activation",
    "apply",
    "batch_norm",
    "check_count",
    "check_flag",
    "check_rank",
    "check_rate",
    "conv",
    "conv_block",
    "conv_bn",
    "dense_block",
    "dropout",
    "global_pool",
    "grouped_conv",
    "image_input",
    "initializer",
    "logits",
    "norm",
    "normalize",
    "pool",
    "scaled_tanh",
]
