"""Weight clustering: train a little longer while the weights of a kernel share a few values."""

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np

from kcnn.checks import check_count
from kcnn.compress.call_checks import open_up
from kcnn.compress.finetune import check_budget, check_models, finetune
from kcnn.compress.kernels import kernels, select_kernels, zero_fractions
from kcnn.compress.to_keras2 import copy_with_weights
from kcnn.data import Data
from kcnn.notebook import html_facts, html_table


@dataclass(frozen=True)
class ClusterResult:
    """A clustered model and its training.

    Attributes:
        model: a new model of stock layers, not compiled.
        clusters: measured number of distinct values in each kernel, by layer name.
        history: training loss and accuracy after each epoch.
        epochs: passes over the training images.
        seconds: how long the training took.
    """

    model: keras.Model
    clusters: dict[str, int]
    history: dict[str, list[float]]
    epochs: int
    seconds: float

    def _repr_html_(self) -> str:
        facts = {"epochs": self.epochs, "seconds": round(self.seconds, 1)}
        table = html_facts(f"{self.model.name}, clustered", facts)
        return table + html_table(["layer", "values"], self.clusters.items())


def cluster(
    model: keras.Model,
    data: Data,
    *,
    clusters: int = 16,
    exclude: Iterable[str] = (),
    epochs: int = 2,
    learning_rate: float = 1e-4,
) -> ClusterResult:
    """Limit each kernel of a trained model to a few values while TF-MOT trains it further.

    Use it for a smaller download: weights that repeat compress well, so gzip shrinks the file. The
    file's own size and the speed of inference do not change. An int8 file gains less than a float
    one, because its kernels have at most 256 values a filter anyway.

    It clusters the kernels of convolutions and of `Dense` layers. The values start evenly spaced
    between a kernel's smallest and largest weight; the training learns the values and which of them
    each weight takes. Biases, batch norms and depthwise kernels are not clustered. Adam starts at
    `learning_rate` and follows a cosine down to zero. A pruned model keeps its zeros, and zero is
    then one of the values: prune first, then cluster.

    TF-MOT's own `cluster_weights` does not support Keras 3: it returns None for such a model,
    without an error. This function rebuilds the model in Keras 2 and copies the weights back, as
    `kcnn.prune` does.

    Paper: Han, Mao and Dally, "Deep Compression" (2015), https://arxiv.org/abs/1510.00149.

    Args:
        model: a trained Keras 3 model from `data.image_shape` to one output a class, Sequential or
            functional, from kcnn or your own. It is not changed. The result is one graph of layers
            that ends in logits, see `kcnn.models.as_layers`.
        data: what `kcnn.data.load` returns; only its training images are read.
        clusters: how many distinct values a kernel may have: at least 2, or 3 if the model has
            zeros to keep. Four bits can number 16 values.
        exclude: names of layers whose kernels are not clustered. They train too, and keep the zeros
            that they have.
        epochs: passes over the training images.
        learning_rate: at the start.

    Raises:
        ValueError: an argument is out of its range, the model does not fit the data, or Keras 2,
            which TF-MOT needs, cannot rebuild one of its layers; the message names the layer.
            `kcnn.compress.check_cluster` raises the same without training.
        RuntimeError: the data cannot be read, the loss became NaN, or the process in which TF-MOT
            runs died.

    >>> import kcnn
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20)
    >>> result = cluster(kcnn.models.build("simple_cnn"), data, clusters=8, epochs=1)
    >>> max(result.clusters.values())
    8
    """
    model = open_up(model, "Compression")
    settings = _make_settings(model, data, clusters, exclude, epochs, learning_rate)
    trained = finetune(
        "clustering", model, data, settings, epochs=epochs, learning_rate=learning_rate
    )
    clustered = copy_with_weights(model, trained.arrays)
    return ClusterResult(
        model=clustered,
        clusters={name: np.unique(kernel).size for name, kernel in kernels(clustered).items()},
        history=trained.history,
        epochs=epochs,
        seconds=trained.seconds,
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
        model: the model to cluster. This and all other arguments are those of `cluster`.
        data: what `kcnn.data.load` returns; its images are not read.
        clusters: distinct values of a kernel.
        exclude: names of layers whose kernels are not clustered.
        epochs: passes over the training images.
        learning_rate: at the start.

    Raises:
        ValueError: `cluster` would raise the same.

    >>> import kcnn
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20)
    >>> check_cluster(kcnn.models.build("simple_cnn"), data, clusters=1)
    Traceback (most recent call last):
    ValueError: clusters must be an integer of at least 2. Received: clusters=1
    """
    model = open_up(model, "Compression")
    _make_settings(model, data, clusters, exclude, epochs, learning_rate)


def _make_settings(
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
    check_count("clusters", clusters, minimum=2)
    zeros = {name: share for name, share in zero_fractions(model).items() if share}
    if zeros:
        check_count("clusters", clusters, minimum=3)
    return {
        "clusters": int(clusters),
        # A kernel of no more weights than that has few values already.
        "layers": [name for name, kernel in found.items() if kernel.size > clusters],
        "zeros": zeros,
    }
