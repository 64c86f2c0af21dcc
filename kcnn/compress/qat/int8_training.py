"""Quantisation-aware training: a model learns to live with the roundings of its int8 file."""

import time
from contextlib import ExitStack
from dataclasses import dataclass

import keras

from kcnn.arithmetic.layer_calls import Call, calls
from kcnn.compress.finetune import check_budget, check_data
from kcnn.compress.qat.insert_fake_quantize import insert_fake_quantize, training_class_and_options
from kcnn.compress.qat.tfmot_engine import check_tfmot_layers, train_with_tfmot
from kcnn.compress.qat.tuning import History, Trainee, tune, zeros_kept
from kcnn.data import Data
from kcnn.errors import unknown
from kcnn.models.files import in_float32
from kcnn.models.rewrite import call_copy, rewrite

ENGINES = ("keras", "tfmot")


@dataclass(frozen=True)
class QuantizeAwareResult:
    """A model trained for int8, the control that it must beat, and how both came about."""

    model: keras.Model
    """A new model, not compiled: the layers of the given one that have kernels are now those of
    `kcnn.layers.qat_layers`, and each tensor of the int8 file has a `FakeQuantize`."""
    history: History
    """Training loss and accuracy of each epoch."""
    control: keras.Model | None
    """A copy of the given model after the same training in floats, on the same batches."""
    control_history: History | None
    epochs: int
    seconds: float
    """Both trainings together."""


def quantize_aware(  # noqa: PLR0913 - what a training is made of; the defaults are for a first one
    model: keras.Model,
    data: Data,
    *,
    epochs: int = 2,
    learning_rate: float = 1e-4,
    engine: str = "keras",
    control: bool = True,
) -> QuantizeAwareResult:
    """Train a trained model on while it computes as its int8 file will.

    Use it where int8 costs accuracy: small networks with depthwise convolutions, pruned ones, or
    ranges that a few bright images stretch. On residual networks of plain convolutions it gains
    next to nothing over the same training in floats and int8 afterwards. So that is trained too,
    on the very same batches: compare the two before you believe in either.

    The kernels are rounded to int8 in every step, one scale a filter, the activations to ranges
    that are learned on the way, at the places where TensorFlow Lite will round them; batch norms
    stay alive. The zeros of a pruned model stay zeros. Adam starts at `learning_rate` and follows
    a cosine down to zero. `kcnn.export_tflite` takes the result without calibration images.

    Saved to a `.keras` file, the model loads with `kcnn.models.load`, or in Keras after
    `import kcnn.layers`.

    Paper: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference" (2018), https://arxiv.org/abs/1712.05877.

    Args:
        model: a trained Keras 3 model from `data.image_shape` to one logit a class, Sequential or
            functional, of kcnn or your own. It is left as it is.
        data: what `kcnn.data.load` returns; only `data.train` is read.
        epochs: passes over the training images.
        learning_rate: at the start; about a tenth of what the model was trained with.
        engine: "keras" trains in this process; "tfmot" by TensorFlow's Model Optimization Toolkit
            in a process of its own, with its schemes for dense and for pruned models.
        control: whether to train a copy in floats as well, which takes about half as long again.

    Raises:
        ValueError: an argument is out of its range, the model does not fit the data, or one of its
            layers cannot be trained for int8; the message names it.
        RuntimeError: the data cannot be read, the training diverged, or the process in which TF-MOT
            runs died.

    >>> import kcnn
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20)
    >>> result = quantize_aware(kcnn.models.build("simple_cnn"), data, epochs=1, control=False)
    >>> result.model.get_layer("logits_fake_quantize").steps.numpy()
    np.float32(9.0)
    """
    started = time.perf_counter()
    model = in_float32(model)
    aware = _prepare(model, data, epochs, learning_rate, engine)
    budget = {"epochs": int(epochs), "learning_rate": float(learning_rate)}
    plain = None
    with ExitStack() as kept:
        if control:
            plain = Trainee(_copy(model), data, called="float control", **budget)
            kept.enter_context(zeros_kept(plain.model))
        if engine == "keras":
            trainee = Trainee(aware, data, called="quantize_aware", **budget)
            kept.enter_context(zeros_kept(aware))
            tune([trainee, plain] if plain else [trainee], data, epochs)
            history = trainee.history
        else:
            watch = plain.learn if plain else None
            aware, history = train_with_tfmot(model, data, watch=watch, **budget)
    return QuantizeAwareResult(
        model=aware,
        history=history,
        control=plain.model if plain else None,
        control_history=plain.history if plain else None,
        epochs=budget["epochs"],
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
        model: as of `quantize_aware`, and so are all others.
        data: not read, only held against the model.
        epochs: passes over the training images.
        learning_rate: at the start.
        engine: "keras" or "tfmot".
        control: without influence; it is here so that the same options fit both functions.

    Raises:
        ValueError: `quantize_aware` would raise it; the message is the same.
    """
    _prepare(in_float32(model), data, epochs, learning_rate, engine)


def _prepare(
    model: keras.Model, data: Data, epochs: int, learning_rate: float, engine: str
) -> keras.Model:
    """Check all arguments of `quantize_aware`; return the copy of `model` that it trains."""
    check_budget(epochs, learning_rate)
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    aware = insert_fake_quantize(model)
    check_data(model, data)
    if engine == "tfmot":
        check_tfmot_layers(model)
    return aware


def _copy(model: keras.Model) -> keras.Model:
    def step(call: Call, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        kind, options = training_class_and_options(call.layer)
        return call_copy(call.layer, inputs, kind, **options)

    return rewrite(calls(model), step, name=model.name)
