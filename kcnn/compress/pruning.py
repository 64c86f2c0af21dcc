"""Magnitude pruning: train a little longer while the smallest weights become and stay zero."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real

import keras
import numpy as np

from kcnn.compress.bridge.prune_job import TWO_TO_FOUR
from kcnn.compress.finetune import check_budget, check_models, finetune
from kcnn.compress.kernels import kernels, read_names, select_kernels, zero_fractions
from kcnn.compress.kernels import sparsity as measured_sparsity
from kcnn.compress.to_keras2 import copy_with_weights
from kcnn.data import Data
from kcnn.errors import unknown

# A layer's sparsity at the start and at the end, or "2:4".
Target = tuple[float, float] | str

SCHEDULES = ("polynomial", "constant")

# About how often the masks are updated on the way to the final sparsity: each update sorts all
# weights.
MASK_UPDATES = 32


@dataclass(frozen=True)
class PruneResult:
    """A pruned model and its training.

    Attributes:
        model: a new model of stock layers, not compiled.
        sparsity: measured fraction of zeros in all kernels, also those left dense, 0 to 1.
        layer_sparsity: the same for each layer with a kernel, by its name.
        history: training loss, accuracy and sparsity after each epoch.
        epochs: passes over the training images.
        seconds: how long the training took.
    """

    model: keras.Model
    sparsity: float
    layer_sparsity: dict[str, float]
    history: dict[str, list[float]]
    epochs: int
    seconds: float


def prune(  # noqa: PLR0913 - what to prune, and a training
    model: keras.Model,
    data: Data,
    *,
    sparsity: float | str | Mapping[str, float] = 0.8,
    exclude: Iterable[str] = (),
    epochs: int = 2,
    schedule: str = "polynomial",
    learning_rate: float = 1e-3,
    teacher: keras.Model | None = None,
) -> PruneResult:
    """Set the smallest weights of a trained model to zero while TF-MOT trains it further.

    Use it for a smaller download: zeros compress well, so gzip shrinks the file, in float and in
    int8. It does not make inference faster; `kcnn.slim` does. It prunes the kernels of convolutions
    and of `Dense` layers, all to the same sparsity unless `sparsity` names layers. Biases, batch
    norms and depthwise kernels are not pruned. Adam starts at `learning_rate` and follows a cosine
    down to zero. A model that is already pruned keeps its zeros, in all of its layers.

    Papers: Zhu and Gupta, "To prune, or not to prune" (2017), https://arxiv.org/abs/1710.01878;
    for 2:4, Mishra et al., "Accelerating Sparse Deep Neural Networks" (2021),
    https://arxiv.org/abs/2104.08378.

    Args:
        model: a trained Keras 3 model from `data.image_shape` to one logit a class, Sequential or
            functional, from kcnn or your own. It is not changed.
        data: what `kcnn.data.load` returns; only its training images are read.
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

    Raises:
        ValueError: an argument is out of its range, the model does not fit the data, or Keras 2,
            which TF-MOT needs, cannot rebuild one of its layers; the message names the layer.
            `kcnn.compress.check_prune` raises the same without training.
        RuntimeError: the data cannot be read, the loss became NaN, or the process in which TF-MOT
            runs died.

    >>> import kcnn
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20)
    >>> model = kcnn.models.build("simple_cnn")
    >>> result = prune(model, data, sparsity=0.5, exclude=("logits",), epochs=1)
    >>> result.layer_sparsity["logits"], round(result.layer_sparsity["dense"], 3)
    (0.0, 0.5)
    """
    exclude = read_names(exclude)
    budget = {"epochs": epochs, "learning_rate": learning_rate, "teacher": teacher}
    check_prune(model, data, sparsity=sparsity, exclude=exclude, schedule=schedule, **budget)
    end_step, frequency = _mask_updates(schedule, epochs * data.steps_per_epoch)
    settings = {
        "targets": _find_targets(model, sparsity, exclude),
        "weights": sum(kernel.size for kernel in kernels(model).values()),
        "end_step": end_step,
        "frequency": frequency,
    }
    trained = finetune("pruning", model, data, settings, **budget)
    pruned = copy_with_weights(model, trained.arrays)
    return PruneResult(
        model=pruned,
        sparsity=measured_sparsity(pruned),
        layer_sparsity=zero_fractions(pruned),
        history=trained.history,
        epochs=epochs,
        seconds=trained.seconds,
    )


def check_prune(  # noqa: PLR0913 - the arguments of `prune`
    model: keras.Model,
    data: Data,
    *,
    sparsity: float | str | Mapping[str, float] = 0.8,
    exclude: Iterable[str] = (),
    epochs: int = 2,
    schedule: str = "polynomial",
    learning_rate: float = 1e-3,
    teacher: keras.Model | None = None,
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

    Raises:
        ValueError: `prune` would raise the same.

    >>> import kcnn
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20)
    >>> check_prune(kcnn.models.build("simple_cnn"), data, sparsity=1.5)
    Traceback (most recent call last):
    ValueError: sparsity must lie between 0 and 1, ... Received: sparsity=1.5
    """
    if schedule not in SCHEDULES:
        raise unknown("schedule", schedule, SCHEDULES)
    check_budget(epochs, learning_rate)
    check_models(model, teacher, data)
    _find_targets(model, sparsity, exclude)


def _find_targets(
    model: keras.Model, sparsity: float | str | Mapping[str, float], exclude: Iterable[str]
) -> dict[str, Target]:
    """Check `sparsity` and `exclude`, and return the target of each layer that has zeros."""
    exclude = read_names(exclude)
    if isinstance(sparsity, Mapping) and (both := sorted(set(sparsity).intersection(exclude))):
        raise ValueError(f"Layer {both[0]!r} has a sparsity and is excluded: drop one of the two.")
    found = select_kernels(model, exclude)
    before = zero_fractions(model)
    # Layers that are not pruned further keep their zeros.
    kept: dict[str, Target] = {name: (zeros, zeros) for name, zeros in before.items() if zeros}
    if sparsity == TWO_TO_FOUR:
        _check_two_to_four(model, found)
        return kept | dict.fromkeys(found, TWO_TO_FOUR)
    wanted = _find_final_sparsities(sparsity, found)
    if all(
        before[name] and round((goal - before[name]) * found[name].size) < 1
        for name, goal in wanted.items()
    ):
        raise ValueError(
            f"The weights of the model are already {measured_sparsity(model):.1%} zeros: sparsity "
            f"must be higher. Received: sparsity={sparsity}"
        )
    return kept | {name: (before[name], max(before[name], goal)) for name, goal in wanted.items()}


def _find_final_sparsities(
    sparsity: float | str | Mapping[str, float], found: dict[str, np.ndarray]
) -> dict[str, float]:
    """Return the fraction of zeros that each layer ends with, by its name."""
    wanted = sparsity if isinstance(sparsity, Mapping) else dict.fromkeys(found, sparsity)
    for name, fraction in wanted.items():
        if name not in found:
            raise unknown("layer", name, found)
        if not isinstance(fraction, Real) or not 0 < float(fraction) < 1:
            raise ValueError(
                "sparsity must lie between 0 and 1, by layer name or for all of them, or be "
                f"{TWO_TO_FOUR!r}. Received: sparsity={sparsity!r}"
            )
    return {name: float(fraction) for name, fraction in wanted.items()}


def _check_two_to_four(model: keras.Model, found: dict[str, np.ndarray]) -> None:
    for name, kernel in found.items():
        if kernel.ndim not in (2, 4):
            raise ValueError(
                f"Layer {name!r} ({model.get_layer(name).__class__.__name__}) cannot be pruned "
                f"{TWO_TO_FOUR}, only kernels of Conv2D, SeparableConv2D and Dense can: exclude it."
            )
        if np.any(kernel == 0):
            raise ValueError(
                f"Layer {name!r} has zeros, and {TWO_TO_FOUR} would let some of them train again: "
                "start from the dense model, or exclude the layer."
            )


def _mask_updates(schedule: str, steps: int) -> tuple[int, int]:
    """Return the step of the last mask update, and the number of steps between updates.

    Steps count from 1. Step 1 always updates, because zeros that the model already has must not
    train. The last update falls on a multiple of the distance, or TF-MOT would miss the final
    sparsity.

    >>> _mask_updates("polynomial", 700)
    (341, 10)
    >>> _mask_updates("polynomial", 20)
    (10, 1)
    >>> _mask_updates("constant", 700)
    (1, 1)
    """
    room = max(0, steps // 2 - 1) if schedule == "polynomial" else 0
    frequency = max(1, room // MASK_UPDATES)
    return 1 + room // frequency * frequency, frequency
