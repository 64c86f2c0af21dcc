"""What number format this machine trains fastest in."""

from pathlib import Path

import keras

_CPU = Path("/proc/cpuinfo")
_AMPERE = 8


def has_amx(cpu: Path = _CPU) -> bool:
    """Return whether the processor multiplies matrices of bfloat16: Intel's AMX, since 2023.

    Without it bfloat16 is slower than float32. Linux tells; elsewhere the answer is no.

    >>> has_amx(Path("nowhere"))
    False
    """
    try:
        return "amx_bf16" in cpu.read_text().split()
    except OSError:
        return False


def trains_in_bfloat16() -> bool:
    """Return whether what Keras computes on is faster in bfloat16: TPUs, NVIDIA's since 2020, AMX.

    AMX counts with TensorFlow only; on a CPU, JAX gets nothing from bfloat16.

    >>> isinstance(trains_in_bfloat16(), bool)
    True
    """
    if keras.config.backend() == "jax":
        import jax

        device = jax.devices()[0]  # on a CPU, XLA convolves bfloat16 in float32
        capability = getattr(device, "compute_capability", "")  # "9.0"; AMD's are "gfx942"
        return device.platform == "tpu" or _has_tensor_cores(str(capability).partition(".")[0])
    import tensorflow as tf

    gpus = [
        tf.config.experimental.get_device_details(gpu).get("compute_capability", ("",))
        for gpu in tf.config.get_visible_devices("GPU")
    ]
    return all(_has_tensor_cores(str(gpu[0])) for gpu in gpus) if gpus else has_amx()


def _has_tensor_cores(generation: str) -> bool:
    """Whether it is one of bfloat16's: the first number of NVIDIA's compute capability."""
    return generation.isdecimal() and int(generation) >= _AMPERE
