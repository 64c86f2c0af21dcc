"""The number formats in which a network can train, and how long a step takes in each."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

import keras

if TYPE_CHECKING:
    from kcnn.data import Data

Precision = Literal["float32", "mixed_bfloat16"]

PRECISIONS: tuple[Precision, ...] = ("float32", "mixed_bfloat16")

_ROUNDS, _ROUND_SECONDS = 5, 0.4
_AMPERE = 8


def known_precision() -> Precision | None:
    """Return the faster precision where the hardware tells, None where a measurement has to.

    TPUs, and NVIDIA GPUs since Ampere (2020), train faster in bfloat16, older GPUs in float32. On
    a CPU, JAX gains nothing from bfloat16: XLA convolves it in float32. With TensorFlow on a CPU
    it depends on the processor, on the network and on the size of its batches.

    >>> known_precision() in (None, "float32", "mixed_bfloat16")
    True
    """
    if keras.config.backend() == "jax":
        import jax

        device = jax.devices()[0]
        capability = getattr(device, "compute_capability", "")  # "9.0"; AMD's are "gfx942"
        return _precision(device.platform == "tpu" or _has_tensor_cores(str(capability)))
    import tensorflow as tf

    gpus = [
        tf.config.experimental.get_device_details(gpu).get("compute_capability", ("",))
        for gpu in tf.config.get_visible_devices("GPU")
    ]
    return _precision(all(_has_tensor_cores(str(gpu[0])) for gpu in gpus)) if gpus else None


def step_seconds(
    models: Mapping[str, keras.Model],
    data: "Data",
    optimizer: Callable[[], keras.optimizers.Optimizer],
) -> dict[str, float]:
    """Return the seconds of a training step of each model: the median of rounds that take turns.

    The models are trained meanwhile.

    Args:
        models: one network in several precisions.
        data: the training batches.
        optimizer: makes an optimizer.
    """
    take = {name: _steps(model, data, optimizer()) for name, model in models.items()}
    for steps in take.values():
        steps(2)  # the first is compiled
    slowest = max(_seconds(steps, 1) for steps in take.values())
    count = max(1, round(_ROUND_SECONDS / slowest))
    rounds = [
        {name: _seconds(steps, count) / count for name, steps in take.items()}
        for _ in range(_ROUNDS)
    ]
    return {name: statistics.median(each[name] for each in rounds) for name in models}


def _steps(
    model: keras.Model, data: "Data", optimizer: keras.optimizers.Optimizer
) -> Callable[[int], None]:
    from kcnn.layers import fast_training
    from kcnn.training.loop_tensorflow import TensorFlowSteps, compile_for
    from kcnn.training.objective import Objective

    compile_for(model, data, Objective(), optimizer)
    steps = TensorFlowSteps(model, data, Objective())
    steps.begin(0, 0)

    def take(count: int) -> None:
        with fast_training(model):
            for _ in range(count):
                float(steps.take()["loss"])  # waits for the step, as the training loop does

    return take


def _seconds(steps: Callable[[int], None], count: int) -> float:
    start = time.perf_counter()
    steps(count)
    return time.perf_counter() - start


def _precision(bfloat16: bool) -> Precision:
    return "mixed_bfloat16" if bfloat16 else "float32"


def _has_tensor_cores(capability: str) -> bool:
    """Return whether an NVIDIA GPU of this compute capability has tensor cores for bfloat16."""
    generation = capability.partition(".")[0]
    return generation.isdecimal() and int(generation) >= _AMPERE
