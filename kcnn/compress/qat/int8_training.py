"""Quantization-aware training: train a model with the roundings of its int8 file."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import keras
import numpy as np

from kcnn.arithmetic.layer_calls import Call, calls
from kcnn.compress.call_checks import open_up
from kcnn.compress.finetune import check_budget, check_data
from kcnn.compress.keep_zeros import keep_zeros
from kcnn.compress.qat.insert_fake_quantize import insert_fake_quantize, training_class_and_options
from kcnn.compress.qat.series import series_as_maps
from kcnn.compress.qat.tfmot_engine import check_tfmot_layers, train_with_tfmot
from kcnn.data import Data
from kcnn.data.checks import check_is_data
from kcnn.errors import unknown
from kcnn.models.files import in_float32
from kcnn.models.rewrite import call_copy, rewrite
from kcnn.notebook import html_table
from kcnn.tensorflow_only import check_tensorflow
from kcnn.training.objective import Objective
from kcnn.training.optimizers import make_optimizer
from kcnn.training.schedules import cosine
from kcnn.training.trainer import run_training

logger = logging.getLogger("kcnn")

ENGINES = ("keras", "tfmot")


@dataclass(frozen=True)
class QuantizeAwareResult:
    """A model trained for int8, the float control that it must beat, and both trainings.

    Attributes:
        model: a new model, not compiled. Its layers with kernels are those of
            `kcnn.layers.qat_layers`, and it has a `FakeQuantize` for each tensor of the int8 file.
        history: loss and accuracy of each epoch; with engine "keras" also of the validation images.
        control: a copy of the given model after the same training in floats on the same batches;
            None without `control`.
        control_history: of the control, also of the validation images.
        epochs: passes over the training images.
        seconds: how long both trainings took.
    """

    model: keras.Model
    history: dict[str, list[float]]
    control: keras.Model | None
    control_history: dict[str, list[float]] | None
    epochs: int
    seconds: float

    def _repr_html_(self) -> str:
        trained, control = self.history, self.control_history or {}
        rows = [
            [name, values[-1], control[name][-1] if control.get(name) else None]
            for name, values in trained.items()
        ]
        note = f"{self.epochs} epochs, {self.seconds:.1f} seconds"
        header = ["after the last epoch", "trained for int8", "control in floats"]
        return html_table(header, rows, title=f"{self.model.name}, for int8", note=note)


def quantize_aware(  # noqa: PLR0913 - what a training is made of; the defaults are for a first one
    model: keras.Model,
    data: Data,
    *,
    epochs: int = 2,
    learning_rate: float = 1e-4,
    engine: str = "keras",
    control: bool = True,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> QuantizeAwareResult:
    """Train a trained model further while it rounds as its int8 file will.

    Use it where int8 costs accuracy: for small networks with depthwise convolutions, for pruned
    networks, or where a few bright images stretch the ranges. On residual networks of plain
    convolutions it gains almost nothing over the same training in floats followed by int8. That is
    why this function also trains such a float control, on the same batches: compare the two.

    Every step rounds the kernels to int8, with one scale a filter, and the activations to ranges
    that are learned during training, wherever TensorFlow Lite will round them. Batch norms keep
    training. The zeros of a pruned model stay zero. Adam starts at `learning_rate` and follows a
    cosine down to zero. `kcnn.export_tflite` exports the result without calibration images.

    Saved to a `.keras` file, the model loads with `kcnn.models.load`, or in Keras after
    `import kcnn.layers`.

    Paper: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference" (2018), https://arxiv.org/abs/1712.05877.

    Args:
        model: a trained Keras 3 model from `data.image_shape` to one logit a class, Sequential or
            functional, from kcnn or your own. It is not changed. A model of series becomes one
            whose layers see maps of a single row, and learns the range of its input.
        data: what `kcnn.data.load` returns; its test images are not read.
        epochs: passes over the training images.
        learning_rate: at the start; about a tenth of what the model was trained with.
        engine: "keras" trains in this process; "tfmot" uses TensorFlow's Model Optimization Toolkit
            in a process of its own, with its schemes for dense and for pruned models.
        control: whether to train the float control too, which takes about half as long again.
        callbacks: of engine "keras": Keras callbacks for the training for int8. The control trains
            all epochs without them.

    Raises:
        ValueError: an argument is out of its range, the model does not fit the data, or one of its
            layers cannot be trained for int8; the message names it.
            `kcnn.compress.check_quantize_aware` raises the same without training.
        RuntimeError: the data cannot be read, the training diverged, or the process in which TF-MOT
            runs died.

    >>> import kcnn
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20)
    >>> result = quantize_aware(kcnn.models.build("simple_cnn"), data, epochs=1, control=False)
    >>> result.model.get_layer("logits_fake_quantize").steps.numpy()
    np.float32(9.0)
    """
    started = time.perf_counter()
    check_tensorflow("Models are trained for int8")
    model = in_float32(open_up(model, "Training for int8"))
    aware = _prepare(model, data, epochs, learning_rate, engine)
    if callbacks and engine != "keras":
        raise ValueError(
            "callbacks needs engine='keras': TF-MOT trains in a process of its own. "
            f"Received: engine={engine!r}"
        )
    budget: dict[str, Any] = {"epochs": int(epochs), "learning_rate": float(learning_rate)}
    logger.info("quantize_aware: training for int8")
    if engine == "keras":
        history = _train(aware, data, callbacks=callbacks, **budget)
    else:
        aware, history = train_with_tfmot(model, data, **budget)
    plain = control_history = None
    if control:
        logger.info("quantize_aware: training the float control")
        plain = _copy(model)
        control_history = _train(plain, data, **budget)
    return QuantizeAwareResult(
        model=aware,
        history=history,
        control=plain,
        control_history=control_history,
        epochs=int(epochs),
        seconds=time.perf_counter() - started,
    )


def check_quantize_aware(
    model: keras.Model,
    data: Data,
    *,
    epochs: int = 2,
    learning_rate: float = 1e-4,
    engine: str = "keras",
    control: bool = True,
) -> None:
    """Check that `quantize_aware` accepts these arguments, without training.

    Args:
        model: the model to train. This and all other arguments are those of `quantize_aware`.
        data: what `kcnn.data.load` returns; its images are not read.
        epochs: passes over the training images.
        learning_rate: at the start.
        engine: "keras" or "tfmot".
        control: ignored; accepted so that both functions take the same arguments.

    Raises:
        ValueError: `quantize_aware` would raise the same.

    >>> import kcnn
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20)
    >>> check_quantize_aware(kcnn.models.build("simple_cnn"), data, engine="torch")
    Traceback (most recent call last):
    ValueError: Unknown engine 'torch'. Known: keras, tfmot.
    """
    check_tensorflow("Models are trained for int8")
    model = in_float32(open_up(model, "Training for int8"))
    _prepare(model, data, epochs, learning_rate, engine)


def _prepare(
    model: keras.Model, data: Data, epochs: int, learning_rate: float, engine: str
) -> keras.Model:
    """Check all arguments of `quantize_aware`; return the model that it trains."""
    check_is_data(data)
    check_budget(epochs, learning_rate)
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    aware = insert_fake_quantize(series_as_maps(model))
    check_data(model, data)
    if engine == "tfmot":
        check_tfmot_layers(model)
    return aware


def _train(
    model: keras.Model,
    data: Data,
    *,
    epochs: int,
    learning_rate: float,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict[str, list[float]]:
    """Train `model` in place and return the history. Its zeros stay zero; it is not compiled."""
    # The same layers in a model of its own, which is the one that is compiled.
    trainee = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    rate = cosine(learning_rate, epochs=epochs, steps_per_epoch=data.steps_per_epoch)
    with keep_zeros(model):
        result = run_training(
            trainee,
            data,
            Objective(),
            epochs=epochs,
            optimizer=make_optimizer("adam", rate),
            callbacks=[_DivergenceGuard(), *callbacks],
        )
    return result.history


class _DivergenceGuard(keras.callbacks.Callback):
    """Stops a training whose weights are no longer finite.

    A rounding clips NaN to a number, so the loss can stay finite.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        weights = cast(keras.Model, self.model).get_weights()
        if not all(np.isfinite(value).all() for value in weights):
            raise RuntimeError(
                f"a weight is not finite after epoch {epoch + 1}: training diverged. Lower the "
                "learning rate."
            )


def _copy(model: keras.Model) -> keras.Model:
    def step(call: Call, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        kind, options = training_class_and_options(call.layer)
        return call_copy(call.layer, inputs, kind, **options)

    return rewrite(calls(model), step, name=model.name)
