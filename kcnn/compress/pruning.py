"""Magnitude pruning: train a little longer while the smallest weights become and stay zero."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import keras

from kcnn.compress.call_checks import check_engine_takes, open_up, open_up_teacher
from kcnn.compress.finetune import check_budget, check_data, check_models, finetune
from kcnn.compress.kernels import kernels, read_names, zero_fractions
from kcnn.compress.kernels import sparsity as measured_sparsity
from kcnn.compress.masked_training import train_with_masks
from kcnn.compress.own_training import copy_in_float32
from kcnn.compress.prune_targets import SCHEDULES, Target, find_targets, mask_updates
from kcnn.compress.to_keras2 import copy_with_weights
from kcnn.data.jax_data import JaxData
from kcnn.errors import unknown
from kcnn.models.copies import check_copies
from kcnn.notebook import html_facts, html_table

if TYPE_CHECKING:
    from kcnn.data import Data

ENGINES = ("keras", "tfmot")


@dataclass(frozen=True)
class PruneResult:
    """A pruned model and its training.

    Attributes:
        model: a new model of stock layers, not compiled.
        sparsity: measured fraction of zeros in all kernels, also those left dense, 0 to 1.
        layer_sparsity: the same for each layer with a kernel, by its name.
        history: training loss, accuracy and sparsity after each epoch; with engine "keras" also
            loss and accuracy of the validation images.
        epochs: passes over the training images.
        seconds: how long the training took.
        engine: what trained: "keras" or "tfmot".
    """

    model: keras.Model
    sparsity: float
    layer_sparsity: dict[str, float]
    history: dict[str, list[float]]
    epochs: int
    seconds: float
    engine: str = "tfmot"

    def _repr_html_(self) -> str:
        facts = {"zeros in all kernels": f"{self.sparsity:.1%}", "engine": self.engine}
        facts |= {"epochs": self.epochs, "seconds": round(self.seconds, 1)}
        layers = [[name, f"{share:.1%}"] for name, share in self.layer_sparsity.items()]
        table = html_facts(f"{self.model.name}, pruned", facts)
        return table + html_table(["layer", "zeros"], layers)


def prune(  # noqa: PLR0913 - what to prune, and a training
    model: keras.Model,
    data: "Data | JaxData",
    *,
    sparsity: float | str | Mapping[str, float] = 0.8,
    exclude: Iterable[str] = (),
    epochs: int = 2,
    schedule: str = "polynomial",
    learning_rate: float = 1e-3,
    teacher: keras.Model | None = None,
    engine: str = "tfmot",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    resume: str | os.PathLike | None = None,
) -> PruneResult:
    """Set the smallest weights of a trained model to zero while it trains further.

    Use it for a smaller download: zeros compress well, so gzip shrinks the file, in float and in
    int8. It does not make inference faster; `kcnn.slim` does. It prunes the kernels of convolutions
    and of `Dense` layers, all to the same sparsity unless `sparsity` names layers. Biases, batch
    norms and depthwise kernels are not pruned. Adam starts at `learning_rate` and follows a cosine
    down to zero. A model that is already pruned keeps its zeros, in all of its layers.

    Papers: Zhu and Gupta, "To prune, or not to prune" (2017), https://arxiv.org/abs/1710.01878;
    for 2:4, Mishra et al., "Accelerating Sparse Deep Neural Networks" (2021),
    https://arxiv.org/abs/2104.08378.

    Args:
        model: a trained Keras 3 model from `data.image_shape` to one output a class, Sequential or
            functional, from kcnn or your own. It is not changed. The result is one graph of layers
            that ends in logits, see `kcnn.models.as_layers`.
        data: what `kcnn.data.load` returns; on the JAX backend, `kcnn.data.JaxData`. Its test
            images are not read, with TF-MOT only the training images are.
        sparsity: fraction of the weights that become zero, above 0 and below 1; or fractions by
            layer name, and layers not named stay dense; or "2:4": of every four consecutive input
            channels at least two are zero, chosen before the first step with either `schedule`.
            Sparse tensor cores use that pattern; no runtime for phones or microcontrollers does. It
            needs kernels of `Conv2D`, `SeparableConv2D` or `Dense`.
        exclude: names of layers that stay dense. The first convolution and the last layer have few
            weights, and pruning them costs the most accuracy: `exclude=("stem_conv", "logits")`
            for `resnet20`.
        epochs: passes over the training images; with more of them, pruning costs less accuracy.
        schedule: "polynomial" rises to `sparsity` during the first half of the training and leaves
            the second half for recovery; "constant" prunes before the first step.
        learning_rate: at the start. 1e-3 suits a short run after training with Adam.
        teacher: a trained model for the same images and classes, ending in logits. The pruned model
            also learns from its logits, with the loss and the defaults of `kcnn.distill`. The
            unpruned `model` itself is a good teacher.
        engine: "tfmot" uses TensorFlow's Model Optimization Toolkit in a process of its own.
            "keras" trains in this process, with the same schedule and the same number of zeros in
            each layer, for any layers and on both backends; it is faster.
        callbacks: of engine "keras": Keras callbacks for its training.
        resume: of engine "keras": folder in which the state of the training is kept after each
            epoch, as in `kcnn.train`. The same call takes up a training that was stopped.

    Raises:
        ValueError: an argument is out of its range, the model does not fit the data, or Keras 2,
            which TF-MOT needs, cannot rebuild one of its layers; the message names the layer.
            `kcnn.compress.check_prune` raises the same without training.
        RuntimeError: the data cannot be read, the loss became NaN, or the process in which TF-MOT
            runs died.
        Interrupted: as in `kcnn.train`, with engine "keras".

    >>> import kcnn
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20)
    >>> model = kcnn.models.build("simple_cnn")
    >>> result = prune(model, data, sparsity=0.5, exclude=("logits",), epochs=1)
    >>> result.layer_sparsity["logits"], round(result.layer_sparsity["dense"], 3)
    (0.0, 0.5)
    """
    exclude = read_names(exclude)
    model, teacher = open_up(model, "Compression"), open_up_teacher(teacher)
    check_prune(
        model,
        data,
        sparsity=sparsity,
        exclude=exclude,
        epochs=epochs,
        schedule=schedule,
        learning_rate=learning_rate,
        teacher=teacher,
        engine=engine,
    )
    check_engine_takes(engine, callbacks=callbacks, resume=resume)
    started = time.perf_counter()
    targets = find_targets(model, sparsity, exclude)
    updates = mask_updates(schedule, int(epochs) * data.steps_per_epoch)
    budget = {"epochs": int(epochs), "learning_rate": float(learning_rate), "teacher": teacher}
    if engine == "keras":
        pruned = copy_in_float32(model)
        history = train_with_masks(
            pruned, data, targets, updates, callbacks=callbacks, resume=resume, **budget
        )
    else:
        pruned, history = _train_with_tfmot(model, cast("Data", data), targets, updates, budget)
    return PruneResult(
        model=pruned,
        sparsity=measured_sparsity(pruned),
        layer_sparsity=zero_fractions(pruned),
        history=history,
        epochs=epochs,
        seconds=time.perf_counter() - started,
        engine=engine,
    )


def check_prune(  # noqa: PLR0913 - the arguments of `prune`
    model: keras.Model,
    data: "Data | JaxData",
    *,
    sparsity: float | str | Mapping[str, float] = 0.8,
    exclude: Iterable[str] = (),
    epochs: int = 2,
    schedule: str = "polynomial",
    learning_rate: float = 1e-3,
    teacher: keras.Model | None = None,
    engine: str = "tfmot",
) -> None:
    """Check that `prune` accepts these arguments, without training.

    Args:
        model: the model to prune. This and all other arguments are those of `prune`.
        data: what `kcnn.data.load` returns; its images are not read.
        sparsity: fraction of the weights that become zero, or fractions by layer name, or "2:4".
        exclude: names of layers that stay dense.
        epochs: passes over the training images.
        schedule: "polynomial" or "constant".
        learning_rate: at the start.
        teacher: a trained model for the same images and classes, ending in logits.
        engine: "keras" or "tfmot".

    Raises:
        ValueError: `prune` would raise the same.

    >>> import kcnn
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20)
    >>> check_prune(kcnn.models.build("simple_cnn"), data, sparsity=1.5)
    Traceback (most recent call last):
    ValueError: sparsity must lie between 0 and 1, ... Received: sparsity=1.5
    """
    model, teacher = open_up(model, "Compression"), open_up_teacher(teacher)
    if schedule not in SCHEDULES:
        raise unknown("schedule", schedule, SCHEDULES)
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    check_budget(epochs, learning_rate)
    if engine == "tfmot":
        if isinstance(data, JaxData):
            raise ValueError("TF-MOT prunes on TensorFlow only: pass engine='keras' for JaxData.")
        check_models(model, teacher, data)
    else:
        check_data(model, data, teacher)
        check_copies(model)
    find_targets(model, sparsity, exclude)


def _train_with_tfmot(
    model: keras.Model,
    data: "Data",
    targets: dict[str, Target],
    updates: tuple[int, int],
    budget: dict[str, Any],
) -> tuple[keras.Model, dict[str, list[float]]]:
    end_step, frequency = updates
    settings = {
        "targets": targets,
        "weights": sum(kernel.size for kernel in kernels(model).values()),
        "end_step": end_step,
        "frequency": frequency,
    }
    trained = finetune("pruning", model, data, settings, **budget)
    return copy_with_weights(model, trained.arrays), trained.history
