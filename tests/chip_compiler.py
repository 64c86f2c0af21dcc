"""Compile the sources of microcontrollers against stub headers, also for a Cortex-M4."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

STUBS = Path(__file__).with_name("stubs")
_STRICT = ["-ffreestanding", "-Wall", "-Wextra", "-Werror"]
# The compiler's own headers and the stubs only: Debian's package brings no C library.
_CHIP = ["-mcpu=cortex-m4", "-mthumb", "-I", STUBS / "chip"]


def compile_for(target: str, source: Path, output: Path, folders: Sequence[Path] = ()) -> None:
    """Compile a C or C++ file for this "host" or a "cortex-m4"; skip the test without a compiler.

    Raises:
        subprocess.CalledProcessError: the source does not compile without a warning.
    """
    prefix = "" if target == "host" else "arm-none-eabi-"
    compiler = shutil.which(prefix + ("gcc" if source.suffix == ".c" else "g++"))
    if compiler is None:
        pytest.skip(f"no {prefix}gcc")
    command = [compiler, *_STRICT, *(_CHIP if prefix else []), "-I", STUBS]
    for folder in folders:
        command += ["-I", folder]
    subprocess.run([*command, "-c", source, "-o", output], check=True)
