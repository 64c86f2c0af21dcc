"""A model as plain C: compiled for this machine, or for a Cortex-M4 that QEMU emulates."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcnn.errors import one_line
from kcnn.plain_c import write_c
from kcnn.runtimes.process import run_program
from kcnn.runtimes.runtime import TIMEOUT, NotForThisModel, Run, Task, prepare
from kcnn.runtimes.times import times_of

_HARNESS = Path(__file__).with_name("harness")
_TITLE, _CHIP = "Plain C", "Plain C on a Cortex-M4"
_STRICT = ("-Wall", "-Wextra", "-Werror", "-O3")
_FOR_CHIP = ("-mcpu=cortex-m4", "-mthumb", "-ffreestanding", "-ffunction-sections")
_MACHINE = ("-M", "mps2-an386", "-icount", "shift=0", "-display", "none", "-serial", "none")
_SEMIHOSTING = ("-monitor", "none", "-semihosting-config", "enable=on,target=native")


def run(model: bytes, images: np.ndarray, *, timeout: float = TIMEOUT) -> Run:
    """Write a model as C, compile it for this machine and classify images; see `Classify`.

    Raises:
        ValueError: the file is damaged or no classifier of these images.
        NotForThisModel: plain C does not know one of its operators.
        RuntimeError: there is no C compiler, it refuses the code, or the program takes too long.
    """
    task = prepare(model, images)
    compiler = _compiler()
    if compiler is None:
        raise RuntimeError(available())
    with tempfile.TemporaryDirectory(prefix="kcnn-") as name:
        folder = Path(name)
        _write(task, folder)
        program = folder / "program"
        _compile([compiler, "-std=c11", *_STRICT], ["model.c", "native.c"], program, timeout)
        files = [folder / each for each in ("images.bin", "outputs.bin", "facts.bin")]
        status, written = run_program([program, *files], _TITLE, timeout=timeout)
        if status:
            raise RuntimeError(f"{_TITLE} ended with {status}: {one_line(RuntimeError(written))}")
        peak, first, *others = np.fromfile(files[2], np.float64).tolist()
        outputs = _outputs(files[1], task)
    times = times_of(1000 * first, 1000 * np.array(others))
    details = {"version": Path(compiler).name, "times": times}
    return task.answer(outputs, times.p50, details | {"peak_memory_bytes": int(peak) or None})


def available() -> str | None:
    """Return None if there is a C compiler, otherwise what to do."""
    if _compiler() is None:
        return "Plain C needs a C compiler: install gcc or clang, or name one in CC."
    return None


@dataclass(frozen=True)
class ChipRun:
    """What a model does and needs on a microcontroller.

    Attributes:
        chip: the emulated one.
        outputs: the stored numbers, `(images, classes)`.
        instructions: of one image, the mean of all; a chip takes one to three cycles for each.
        stack_bytes: the deepest stack.
        ram_bytes: for feature maps, beside the stack, the image and the result.
        flash_bytes: code and weights.
    """

    chip: str
    outputs: np.ndarray
    instructions: int
    stack_bytes: int
    ram_bytes: int
    flash_bytes: int


def run_on_chip(model: bytes, images: np.ndarray, *, timeout: float = TIMEOUT) -> ChipRun:
    """Compute images with a model as plain C on a Cortex-M4, which QEMU emulates.

    Use it to know flash, RAM and instructions before there is a board.

    Args:
        model: the bytes of an int8 `.tflite` file.
        images: uint8, raw pixels `(count, height, width, channels)`.
        timeout: seconds after which QEMU is ended.

    Raises:
        ValueError: the file is damaged or no classifier of these images.
        NotForThisModel: plain C does not know one of its operators.
        RuntimeError: a tool is missing or fails, the model exceeds the chip's 4 MB, or it takes too
            long.
    """
    task = prepare(model, images)
    if reason := chip_available():
        raise RuntimeError(reason)
    with tempfile.TemporaryDirectory(prefix="kcnn-") as name:
        folder = Path(name)
        _write(task, folder)
        program = folder / "program"
        _build_for_chip(folder, program, timeout)
        command = ["qemu-system-arm", *_MACHINE, *_SEMIHOSTING, "-kernel", program]
        status, written = run_program(command, _CHIP, timeout=timeout, folder=folder)
        if status:
            raise RuntimeError(f"{_CHIP} ended with {status}: {one_line(RuntimeError(written))}")
        instructions, stack, flash, ram = np.fromfile(folder / "facts.bin", np.uint64).tolist()
        outputs = _outputs(folder / "outputs.bin", task)
    return ChipRun(
        chip="Cortex-M4 (QEMU's mps2-an386)",
        outputs=outputs,
        instructions=instructions // len(outputs),
        stack_bytes=stack,
        ram_bytes=ram,
        flash_bytes=flash,
    )


def chip_available() -> str | None:
    """Return None if a Cortex-M4 can be compiled for and emulated, otherwise what to do."""
    for tool, package in (
        ("arm-none-eabi-gcc", "gcc-arm-none-eabi"),
        ("qemu-system-arm", "qemu-system-arm"),
    ):
        if shutil.which(tool) is None:
            return f"{_CHIP} needs {tool}: install it (Debian: apt install {package})."
    return None


def _compiler() -> str | None:
    named = os.environ.get("CC")
    return next(filter(None, map(shutil.which, [named] if named else ["cc", "gcc", "clang"])), None)


def _write(task: Task, folder: Path) -> None:
    """Write the C files, the programs around them and the images."""
    (folder / "model.tflite").write_bytes(task.model)
    try:
        write_c(folder / "model.tflite", folder / "model.c")
    except ValueError as error:
        reason = str(error).replace(f"{folder}{os.sep}", "")
        raise NotForThisModel(reason) from error
    for file in _HARNESS.iterdir():
        shutil.copyfile(file, folder / file.name)
    task.pixels.tofile(folder / "images.bin")


def _build_for_chip(folder: Path, program: Path, timeout: float) -> None:
    # The linker knows the model by the name of its object file.
    compiler = ["arm-none-eabi-gcc", "-std=c11", *_STRICT, *_FOR_CHIP]
    _compile([*compiler, "-c"], ["model.c"], folder / "model.o", timeout)
    linked = ["-nostdlib", "-T", folder / "cortex_m.ld"]
    _compile([*compiler, *linked], ["cortex_m.c", "model.o", "-lgcc"], program, timeout)


def _compile(
    command: Sequence[str | os.PathLike], sources: Sequence[str], out: Path, timeout: float
) -> None:
    line = [*command, "-o", out, *sources]
    status, written = run_program(line, f"{command[0]}", timeout=timeout, folder=out.parent)
    if status:
        raise RuntimeError(f"{command[0]} refused the C code: {one_line(RuntimeError(written))}")


def _outputs(file: Path, task: Task) -> np.ndarray:
    stored = np.fromfile(file, task.target.dtype)
    classes = task.target.shape[1]
    if len(stored) != len(task.pixels) * classes:
        raise RuntimeError(
            f"{_TITLE} computed {len(stored) // classes} of {len(task.pixels)} images."
        )
    return stored.reshape(-1, classes)
