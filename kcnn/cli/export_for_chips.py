"""`kcnn export --c` and `--compress`: what a microcontroller runs, made of an int8 file."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kcnn.cli.console import console
from kcnn.cli.shared import check_new


@dataclass(frozen=True)
class ForChips:
    """A way to write an int8 `.tflite` file for a microcontroller.

    Attributes:
        option: that chooses it.
        suffix: of what it writes.
        ending: of the default file's name, after the model's.
        write: writes the first file as the second, and prints what it needs.
    """

    option: str
    suffix: str
    ending: str
    write: Callable[[Path, Path], None]

    def check(self, model: Path, out: Path | None, *, unused: Mapping[str, object]) -> Path:
        """Return the file to write.

        Args:
            model: that is exported.
            out: the file that the user named.
            unused: options that would have no effect, and whether they were given.

        Raises:
            ValueError: the file exists or has another suffix, or such an option was given.
        """
        what = "takes the file as it is" if model.suffix == ".tflite" else "writes an int8 network"
        refuse_unused(f"{self.option} {what}", unused)
        path = out or Path(f"{model.resolve().stem}{self.ending}")
        if path.suffix != self.suffix:
            raise ValueError(
                f"{self.option} writes a {self.suffix} file: name it with --out FILE{self.suffix}. "
                f"Received: {path}."
            )
        check_new(path, "--out")
        if self.suffix == ".c":
            check_new(path.with_suffix(".h"), "--out")
        return path

    @contextmanager
    def instead_of(self, path: Path) -> Iterator[Path]:
        """Yield the place for an int8 `.tflite` file, and write `path` from it behind the block."""
        with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
            file = Path(folder) / f"{path.stem}.tflite"
            yield file
            self.write(file, path)


def refuse_unused(reason: str, unused: Mapping[str, object]) -> None:
    """Raise ValueError if an option was given that would have no effect.

    Args:
        reason: why it has none, the beginning of the message.
        unused: such options, and whether they were given.
    """
    for option, given in unused.items():
        if given:
            raise ValueError(f"{reason}: leave {option} out.")


def writer(*, c: bool, compress: bool) -> ForChips | None:
    """Return the way that the flags choose, None for a plain `.tflite` file.

    Raises:
        ValueError: both flags are given.
    """
    if c and compress:
        raise ValueError("--c and --compress exclude each other: leave one out.")
    if c:
        return ForChips("--c", ".c", ".c", _write_c)
    return ForChips("--compress", ".tflite", "_compressed.tflite", _compress) if compress else None


def _write_c(file: Path, path: Path) -> None:
    from kcnn.plain_c import write_c

    made = write_c(file, path)
    console.print(
        f"{made.source} and {made.header.name}: {made.operators} operators, "
        f"{made.constant_bytes:,} bytes of weights, {made.arena_bytes:,} bytes of memory. "
        f"{made.name}_run() computes one image."
    )


def _compress(file: Path, path: Path) -> None:
    from kcnn.litert.tflite_file import read_tflite
    from kcnn.run_dir import atomic
    from kcnn.runtimes import compress

    model = read_tflite(file)
    made = compress(model)
    with atomic(path) as temporary:
        temporary.write_bytes(made.model)
    console.print(
        f"{path}: {len(model):,} -> {len(made.model):,} bytes, {made.tensors} kernels as tables. "
        f"TFLite Micro needs {made.arena_bytes:,} bytes of memory instead of "
        f"{made.original_arena_bytes:,}, and answers {made.images} images as before, bit for bit. "
        "Other runtimes do not read this file."
    )
