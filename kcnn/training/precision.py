"""What number format this machine trains fastest in."""

from pathlib import Path

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
