"""Weight clustering: train a little longer while the weights of a kernel share a few values."""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import keras
import numpy as np

from kcnn.checks import check_count
from kcnn.compress.call_checks import check_engine_takes, open_up, open_up_teacher
from kcnn.compress.clustered_training import train_with_shared_values
from kcnn.compress.finetune import check_budget, check_data, check_models, finetune
from kcnn.compress.kernels import kernels, read_names, select_kernels, zero_fractions
from kcnn.compress.own_training import copy_in_float32
from kcnn.compress.to_keras2 import copy_with_weights
from kcnn.data.jax_data import JaxData
from kcnn.errors import unknown
from kcnn.notebook import html_facts, html_table

if TYPE_CHECKING:
    from kcnn.data import Data

ENGINES = ("keras", "tfmot")


@dataclass(frozen=True)
class ClusterResult:
    """A clustered model and its training.

    Attributes:
        model: a new model of stock layers, not compiled.
        clusters: measured number of distinct values in each kernel, by layer name.
        history: training loss and accuracy after each epoch.
        epochs: passes over the training images.
        seconds: how long the training took.
        engine: which engine trained it.
    """

    model: keras.Model
    clusters: dict[str, int]
    history: dict[str, list[float]]
    epochs: int
    seconds: float
    engine: str = "tfmot"

    def _repr_html_(self) -> str:
        facts = {
            "epochs": self.epochs,
            "seconds": round(self.seconds, 1),
            "engine": self.engine,
        }
        table = html_facts(f"{self.model.name}, clustered", facts)
        return table + html_table(["layer", "values"], self.clusters.items())


def cluster(  # noqa: PLR0913 - what to cluster, and a training
    model: keras.Model,
    data: "Data | JaxData",
    *,
    clusters: int = 16,
    exclude: Iterable[str] = (),
    epochs: int = 2,
    learning_rate: float = 1e-4,
    teacher: keras.Model | None = None,
    engine: str = "tfmot",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    resume: str | os.PathLike | None = None,
) -> ClusterResult:
    """Limit each kernel of a trained model to a few values while it trains further.

    Use it for a smaller download: weights that repeat compress well, so gzip shrinks the file. The
    file's own size and the speed of inference do not change. An int8 file gains less than a float
    one, because its kernels have at most 256 values a filter anyway.

    It clusters the kernels of convolutions and of `Dense` layers. With engine "tfmot" the values
    start evenly spaced between a kernel's smallest and largest weight; the training learns the
    values and which of them each weight takes. With engine "keras" k-means moves them before the
    training, which learns the values only, as in the paper. Biases, batch norms and depthwise
    kernels are not clustered. Adam starts at `learning_rate` and follows a cosine down to zero. A
    pruned model keeps its zeros, and zero is then one of the values: prune first, then cluster.

    TF-MOT's own `cluster_weights` does not support Keras 3: it returns None for such a model,
    without an error. Engine "tfmot" rebuilds the model in Keras 2 and copies the weights back, as
    `kcnn.prune` does.

    Paper: Han, Mao and Dally, "Deep Compression" (2015), https://arxiv.org/abs/1510.00149.

    Args:
        model: a trained Keras 3 model from `data.image_shape` to one output a class, Sequential or
            functional, from kcnn or your own. It is not changed. The result is one graph of layers
            that ends in logits, see `kcnn.models.as_layers`.
        data: what `kcnn.data.load` returns; on the JAX backend, `kcnn.data.JaxData`. Its test
            images are not read, with TF-MOT only the training images are.
        clusters: how many distinct values a kernel may have: at least 2, or 3 if the model has
            zeros to keep. Four bits can number 16 values.
        exclude: names of layers whose kernels are not clustered. They train too, and keep the zeros
            that they have.
        epochs: passes over the training images.
        learning_rate: at the start.
        teacher: a trained model for the same images and classes from whose logits the clustered
            model learns too, with the defaults of `kcnn.distill`. The given `model` is a good one.
        engine: "tfmot" uses TensorFlow's Model Optimization Toolkit in a process of its own.
            "keras" trains in this process, for any layers and on both backends; it is faster.
        callbacks: of engine "keras": Keras callbacks for its training.
        resume: of engine "keras": folder in which the state of the training is kept after each
            epoch, as in `kcnn.train`. The same call takes up a training that was stopped.

    Raises:
        ValueError: an argument is out of its range, the model does not fit the data, or Keras 2,
            which TF-MOT needs, cannot rebuild one of its layers; the message names the layer.
            `kcnn.compress.check_cluster` raises the same without training.
        RuntimeError: the data cannot be read, the loss became NaN, or the process in which TF-MOT
            runs died.
        Interrupted: as in `kcnn.train`, with engine "keras".

    >>> import kcnn, logging
    >>> logging.getLogger("kcnn").setLevel(logging.INFO)  # lines in the log, no progress bar
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20)
    >>> model = kcnn.models.build("simple_cnn")
    >>> result = cluster(model, data, clusters=8, epochs=1, engine="keras")
    >>> max(result.clusters.values())
    8
    """
    exclude = read_names(exclude)
    model, teacher = open_up(model, "Compression"), open_up_teacher(teacher)
    settings = _make_settings(
        model, data, clusters, exclude, epochs, learning_rate, teacher, engine
    )
    check_engine_takes(engine, callbacks=callbacks, resume=resume)
    started = time.perf_counter()
    budget = {"epochs": int(epochs), "learning_rate": float(learning_rate), "teacher": teacher}
    if engine == "keras":
        clustered = copy_in_float32(model)
        layers = settings["layers"]
        history = train_with_shared_values(
            clustered, data, int(clusters), layers, callbacks=callbacks, resume=resume, **budget
        )
    else:
        trained = finetune("clustering", model, cast("Data", data), settings, **budget)
        clustered, history = copy_with_weights(model, trained.arrays), trained.history
    return ClusterResult(
        model=clustered,
        clusters={name: np.unique(kernel).size for name, kernel in kernels(clustered).items()},
        history=history,
        epochs=int(epochs),
        seconds=time.perf_counter() - started,
        engine=engine,
    )


def check_cluster(  # noqa: PLR0913 - the arguments of `cluster`
    model: keras.Model,
    data: "Data | JaxData",
    *,
    clusters: int = 16,
    exclude: Iterable[str] = (),
    epochs: int = 2,
    learning_rate: float = 1e-4,
    teacher: keras.Model | None = None,
    engine: str = "tfmot",
) -> None:
    """Check that `cluster` accepts these arguments, without training.

    Args:
        model: the model to cluster. This and all other arguments are those of `cluster`.
        data: what `kcnn.data.load` returns; its images are not read.
        clusters: distinct values of a kernel.
        exclude: names of layers whose kernels are not clustered.
        epochs: passes over the training images.
        learning_rate: at the start.
        teacher: a trained model for the same images and classes.
        engine: "keras" or "tfmot".

    Raises:
        ValueError: `cluster` would raise the same.

    >>> import kcnn
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20)
    >>> check_cluster(kcnn.models.build("simple_cnn"), data, clusters=1)
    Traceback (most recent call last):
    ValueError: clusters must be an integer of at least 2. Received: clusters=1
    """
    model, teacher = open_up(model, "Compression"), open_up_teacher(teacher)
    _make_settings(model, data, clusters, exclude, epochs, learning_rate, teacher, engine)


def _make_settings(  # noqa: PLR0913 - the arguments of `cluster`
    model: keras.Model,
    data: "Data | JaxData",
    clusters: int,
    exclude: Iterable[str],
    epochs: int,
    learning_rate: float,
    teacher: keras.Model | None,
    engine: str,
) -> dict:
    """Check all arguments of `cluster` and return what is to be clustered."""
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    check_budget(epochs, learning_rate)
    if engine == "keras":
        check_data(model, data, teacher)
    elif isinstance(data, JaxData):
        raise ValueError("TF-MOT clusters on TensorFlow only: pass engine='keras' for JaxData.")
    else:
        check_models(model, teacher, data)
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
