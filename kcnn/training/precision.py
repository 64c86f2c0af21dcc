"""What number format this machine trains fastest in."""

from pathlib import Path

from kcnn.layers.fast import has_gpu

_CPU = Path("/proc/cpuinfo")


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
    """Return whether training is faster in bfloat16 here: on a GPU (NVIDIA's since 2020), or AMX.

    >>> trains_in_bfloat16() or not has_amx()
    True
    """
    return has_gpu() or has_amx()
