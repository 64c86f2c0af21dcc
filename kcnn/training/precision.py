"""What number format this machine trains fastest in, and which one a model computes in."""

from pathlib import Path

import keras

from kcnn.layers.fast import all_layers

_CPU = Path("/proc/cpuinfo")
# The first number of NVIDIA's compute capability.
_WITH_BFLOAT16 = ("8", "9", "10", "11", "12")


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
    """Return whether what Keras computes on is faster in bfloat16: AMX, TPUs, NVIDIA's since 2020.

    >>> isinstance(trains_in_bfloat16(), bool)
    True
    """
    return has_amx() or _has_tensor_cores()


def precision_of(model: keras.Model) -> str:
    """Return the policy that a model computes by: "mixed_bfloat16" or "float32".

    >>> precision_of(keras.Sequential([keras.layers.Dense(2, dtype="mixed_bfloat16")]))
    'mixed_bfloat16'
    """
    mixed = any(layer.compute_dtype == "bfloat16" for layer in all_layers(model))
    return "mixed_bfloat16" if mixed else "float32"


def _has_tensor_cores() -> bool:
    if keras.config.backend() == "jax":
        import jax

        device = jax.devices()[0]
        capability = str(getattr(device, "compute_capability", ""))  # "9.0"; AMD's are "gfx942"
        return device.platform == "tpu" or capability.split(".")[0] in _WITH_BFLOAT16
    import tensorflow as tf

    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return any(str(each.get("compute_capability", " ")[0]) in _WITH_BFLOAT16 for each in details)
