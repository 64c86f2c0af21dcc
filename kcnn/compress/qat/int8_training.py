"""Quantization-aware training: train a model with the roundings of its int8 file."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kcnn.compress.call_checks import check_engine_takes, open_up
from kcnn.compress.finetune import check_budget, check_data
from kcnn.compress.qat.insert_fake_quantize import insert_fake_quantize
from kcnn.compress.qat.series import series_as_maps
from kcnn.compress.qat.tfmot_engine import check_tfmot_layers, train_with_tfmot
from kcnn.compress.qat.train import copy_for_training, train
from kcnn.data import Data
from kcnn.data.checks import check_is_data
from kcnn.errors import unknown
from kcnn.models.files import in_float32
from kcnn.models.relu_first import relu_first
from kcnn.notebook import html_table
from kcnn.tensorflow_only import check_tensorflow

logger = logging.getLogger("kcnn")

ENGINES = ("keras", "tfmot")
WEIGHT_BITS = (8, 4)


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
    weight_bits: int = 8,
    teacher: keras.Model | None = None,
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

    With `weight_bits=4`, all kernels but the first, the last and depthwise ones are rounded to 15
    values, for a file of `quantization="int4"`. That takes more epochs and a higher learning rate;
    a teacher helps.

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
        weight_bits: of a number in a kernel: 8, or 4 with engine "keras".
        teacher: a model from whose logits both trainings learn too, with engine "keras": the given
            model itself, or a larger one.

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
    aware = _prepare(model, data, epochs, learning_rate, engine, weight_bits, teacher)
    check_engine_takes(engine, callbacks=callbacks)
    budget: dict[str, Any] = {"epochs": int(epochs), "learning_rate": float(learning_rate)}
    logger.info("quantize_aware: training for int8")
    if engine == "keras":
        history = train(aware, data, callbacks=callbacks, teacher=teacher, **budget)
    else:
        aware, history = train_with_tfmot(model, data, **budget)
    plain = control_history = None
    if control:
        logger.info("quantize_aware: training the float control")
        plain = copy_for_training(model)
        control_history = train(plain, data, teacher=teacher, **budget)
    return QuantizeAwareResult(
        model=aware,
        history=history,
        control=plain,
        control_history=control_history,
        epochs=int(epochs),
        seconds=time.perf_counter() - started,
    )


def check_quantize_aware(  # noqa: PLR0913 - the arguments of `quantize_aware`
    model: keras.Model,
    data: Data,
    *,
    epochs: int = 2,
    learning_rate: float = 1e-4,
    engine: str = "keras",
    control: bool = True,
    weight_bits: int = 8,
    teacher: keras.Model | None = None,
) -> None:
    """Check that `quantize_aware` accepts these arguments, without training.

    Args:
        model: the model to train. This and all other arguments are those of `quantize_aware`.
        data: what `kcnn.data.load` returns; its images are not read.
        epochs: passes over the training images.
        learning_rate: at the start.
        engine: "keras" or "tfmot".
        control: ignored; accepted so that both functions take the same arguments.
        weight_bits: of a number in a kernel.
        teacher: a model from whose logits it learns too.

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
    _prepare(model, data, epochs, learning_rate, engine, weight_bits, teacher)


def _prepare(  # noqa: PLR0913 - what a training is made of
    model: keras.Model,
    data: Data,
    epochs: int,
    learning_rate: float,
    engine: str,
    weight_bits: int,
    teacher: keras.Model | None,
) -> keras.Model:
    """Check all arguments of `quantize_aware`; return the model that it trains."""
    check_is_data(data)
    check_budget(epochs, learning_rate)
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if weight_bits not in WEIGHT_BITS:
        raise ValueError(f"weight_bits must be 8 or 4. Received: weight_bits={weight_bits!r}")
    narrow = {"weight_bits=4": weight_bits == 4}
    check_engine_takes(engine, **narrow, teacher=teacher is not None)
    aware = insert_fake_quantize(relu_first(series_as_maps(model)), weight_bits)
    check_data(model, data, teacher)
    if engine == "tfmot":
        check_tfmot_layers(model)
    return aware
