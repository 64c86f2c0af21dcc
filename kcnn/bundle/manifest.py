"""`bundle.json`: what a bundle holds, and by which digests its files are known."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from kcnn.errors import invalid
from kcnn.litert import TensorSummary

FILE = "bundle.json"
LARGEST_FILE = 2**28
"""Bytes; what is larger is no model for a phone."""
_LARGEST_MANIFEST = 2**24


@dataclass(frozen=True)
class Golden:
    """Images with the exact answers that a device must give for them.

    `images` holds raw uint8 pixels, image after image, row by row, `outputs` the int8 answers.
    """

    images: str
    outputs: str
    count: Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Score:
    """What a model is worth: a fraction of so many test images."""

    accuracy: float
    count: int


@dataclass(frozen=True)
class Manifest:
    """Everything about a bundle that a program on the device, or a test of it, needs to know.

    A real value of a tensor is `scale * (stored - zero_point)`.
    """

    name: str
    model: str
    """The integer model; all its numbers are int8."""
    source: str
    """The Keras model that it was made from."""
    input: TensorSummary
    output: TensorSummary
    labels: tuple[str, ...]
    golden: Golden
    test_accuracy: float | None
    """Of `model` on `test_images` images that were used for nothing else."""
    test_images: int | None
    sha256: dict[str, str]
    """Digest of every other file by its path in the bundle."""
    versions: dict[str, str]
    machine: str
    """The kind of processor, `platform.machine()`, whose LiteRT gave the golden answers."""
    created: str
    format: Literal[1] = 1

    def save(self, folder: Path) -> None:
        """Write `bundle.json`."""
        (folder / FILE).write_bytes(_MANIFEST.dump_json(self, indent=2) + b"\n")


_MANIFEST = TypeAdapter(Manifest)


def read(folder: Path) -> Manifest:
    """Read the manifest of a bundle, and check every file that it names.

    Raises:
        ValueError: there is no bundle, or a file of it is missing, changed or too large.
    """
    if not (folder / FILE).is_file():
        raise ValueError(
            f"{str(folder)!r} is no bundle, it has no {FILE}: make one with "
            "`kcnn export RUN --bundle DIR`."
        )
    try:
        text = inside(folder, FILE, largest=_LARGEST_MANIFEST).read_bytes()
        manifest = _MANIFEST.validate_json(text)
    except OSError as error:
        raise ValueError(f"Cannot read {str(folder / FILE)!r}: {error.strerror}.") from error
    except ValidationError as error:
        reason = invalid(error, "bundle")
        raise ValueError(f"{str(folder / FILE)!r} is no bundle's manifest: {reason}") from error
    for name, digest in manifest.sha256.items():
        if sha256(inside(folder, name)) != digest:
            raise ValueError(f"{str(folder / name)!r} is not the file that the bundle was made of.")
    return manifest


def inside(folder: Path, name: str, *, largest: int = LARGEST_FILE) -> Path:
    """Return the path of a bundle's file.

    Raises:
        ValueError: the name leads out of the bundle, or there is no such file, or it is too large.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{FILE} names a file outside the bundle: {name!r}.")
    if not path.is_file():
        raise ValueError(f"The bundle {str(folder)!r} lacks its file {name!r}.")
    if path.stat().st_size > largest:
        raise ValueError(f"{str(path)!r} has more than {largest:,} bytes.")
    return path


def sha256(path: Path) -> str:
    """Return the digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
