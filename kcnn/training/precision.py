"""The number format in which this machine trains fastest."""

from pathlib import Path

import keras

_CPU = Path("/proc/cpuinfo")
_AMPERE = 8


def has_amx(cpu: Path = _CPU) -> bool:
    """Return whether the processor has Intel's AMX for bfloat16 (since 2023).

    It is read from Linux's `/proc/cpuinfo`; on other systems the result is False.

    >>> has_amx(Path("nowhere"))
    False
    """
    try:
        return "amx_bf16" in cpu.read_text().split()
    except OSError:
        return False


def trains_in_bfloat16() -> bool:
    """Return whether Keras is assumed to train faster in bfloat16 here than in float32.

    That is so on TPUs, on NVIDIA GPUs since Ampere (2020) and, with TensorFlow, on processors with
    AMX. On a CPU, JAX gains nothing from bfloat16.

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
    """Return whether an NVIDIA GPU of this compute capability has tensor cores for bfloat16."""
    return generation.isdecimal() and int(generation) >= _AMPERE
