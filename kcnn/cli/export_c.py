"""`kcnn export --c`: a model as plain C."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kcnn.cli.console import console
from kcnn.cli.shared import check_new


@contextmanager
def as_c(path: Path) -> Iterator[Path]:
    """Yield the place for an int8 `.tflite` file, and write it as C behind the block.

    Args:
        path: the C file.
    """
    with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
        file = Path(folder) / f"{path.stem}.tflite"
        yield file
        write(file, path)


def check(path: Path, *, refused: dict[str, bool]) -> None:
    """Refuse a file that exists, and options that C does not have.

    Args:
        path: the C file.
        refused: options, and whether they were given.
    """
    for option, given in refused.items():
        if given:
            raise ValueError(f"--c writes an int8 network: leave {option} out.")
    if path.suffix != ".c":
        raise ValueError(f"--c writes a C file: name it with --out FILE.c. Received: {path}.")
    check_new(path, "--out")
    check_new(path.with_suffix(".h"), "--out")


def write(file: Path, path: Path) -> None:
    """Write an int8 `.tflite` file as C, and print what it needs."""
    from kcnn.plain_c import write_c

    made = write_c(file, path)
    console.print(
        f"{made.source} and {made.header.name}: {made.operators} operators, "
        f"{made.constant_bytes:,} bytes of weights, {made.arena_bytes:,} bytes of memory. "
        f"{made.name}_run() computes one image."
    )
