"""Weight clustering: train a little longer while each kernel shares a few values."""

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np

from kcnn.checks import check_count
from kcnn.compress.finetune import check_budget, check_models, finetune
from kcnn.compress.kernels import kernels, select_kernels, zero_fractions
from kcnn.compress.to_keras2 import copy_with_weights
from kcnn.data import Data


@dataclass(frozen=True)
class ClusterResult:
    """A model of few distinct weights and how it came about."""

    model: keras.Model
    """A new model of stock layers, not compiled."""
    clusters: dict[str, int]
    """Distinct values in the kernel of each layer that has one, measured."""
    history: dict[str, list[float]]
    """Training loss and accuracy after each epoch."""
    epochs: int
    seconds: float


def cluster(
    model: keras.Model,
    data: Data,
    *,
    clusters: int = 16,
    exclude: Iterable[str] = (),
    epochs: int = 2,
    learning_rate: float = 1e-4,
) -> ClusterResult:
    """Let each kernel of a trained model have only a few values while it trains on, by TF-MOT.

    Use it for a smaller download: weights that repeat compress well, so gzip shrinks the file. The
    file itself keeps its size and inference its speed. Of an int8 file, whose kernels have at most
    256 values a filter anyway, it takes off less than of a float one.

    The kernels of convolutions and of `Dense` layers are clustered, starting from values evenly
    spaced between each kernel's smallest and largest weight, and both the values and the choice
    of the weights between them are learnt; biases, batch norms and depthwise kernels stay whole.
    Adam starts at `learning_rate` and follows a cosine down to zero. A pruned model keeps its
    zeros, and zero is then one of the values: prune first, then cluster.

    TF-MOT's own `cluster_weights` takes no Keras 3 model: it returns None for one, without an
    error. Here the model is carried to Keras 2 and back, as `kcnn.prune` does.

    Paper: Han, Mao and Dally, "Deep Compression" (2015), https://arxiv.org/abs/1510.00149.

    Args:
        model: a trained Keras 3 model from `data.image_shape` to one logit a class, Sequential or
            functional, of kcnn or your own. It is left as it is.
        data: what `kcnn.data.load` returns; only `data.train` is read.
        clusters: how many distinct values a kernel may have: at least 2, or 3 with zeros to keep.
            16 is what four bits can number.
        exclude: names of layers whose kernels are not clustered; they train on, but keep their
            zeros if they have any.
        epochs: passes over the training images.
        learning_rate: at the start.

    Raises:
        ValueError: an argument is out of its range, the model does not fit the data, or one of its
            layers cannot be carried to TF-MOT; the message names it.
        RuntimeError: the data cannot be read, the loss became NaN, or the process in which TF-MOT
            runs died.

    >>> import kcnn
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20)
    >>> result = cluster(kcnn.models.build("simple_cnn"), data, clusters=8, epochs=1)
    >>> max(result.clusters.values())
    8
    """
    settings = _job_settings(model, data, clusters, exclude, epochs, learning_rate)
    tuned = finetune(
        "clustering", model, data, settings, epochs=epochs, learning_rate=learning_rate
    )
    clustered = copy_with_weights(model, tuned.arrays)
    return ClusterResult(
        model=clustered,
        clusters={name: np.unique(kernel).size for name, kernel in kernels(clustered).items()},
        history=tuned.history,
        epochs=epochs,
        seconds=tuned.seconds,
    )


def check_cluster(
    model: keras.Model,
    data: Data,
    *,
    clusters: int = 16,
    exclude: Iterable[str] = (),
    epochs: int = 2,
    learning_rate: float = 1e-4,
) -> None:
    """Check that `cluster` accepts these arguments, without training.

    Args:
        model: as of `cluster`, and so are all others.
        data: not read, only held against the model.
        clusters: distinct values of a kernel.
        exclude: names of layers whose kernels are not clustered.
        epochs: passes over the training images.
        learning_rate: at the start.

    Raises:
        ValueError: `cluster` would raise it; the message is the same.
    """
    _job_settings(model, data, clusters, exclude, epochs, learning_rate)


def _job_settings(
    model: keras.Model,
    data: Data,
    clusters: int,
    exclude: Iterable[str],
    epochs: int,
    learning_rate: float,
) -> dict:
    """Check all arguments of `cluster` and return the settings of the job in the child process."""
    check_budget(epochs, learning_rate)
    check_models(model, None, data)
    found = select_kernels(model, exclude)
    zeros = {name: share for name, share in zero_fractions(model).items() if share}
    check_count("clusters", clusters, minimum=3 if zeros else 2)
    return {
        "clusters": int(clusters),
        # A kernel of so few weights is clustered as it is.
        "layers": [name for name, kernel in found.items() if kernel.size > clusters],
        "zeros": zeros,
    }
