"""`bundle.json`: the facts of a bundle, and the SHA-256 of each of its files."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from kcnn.bundle.reading import Reading, reading_of
from kcnn.errors import invalid
from kcnn.litert import TensorSummary
from kcnn.notebook import html_facts, html_table
from kcnn.provenance import sha256, sha256_of_json

FILE = "bundle.json"
MODELS: Mapping[str, str] = {"int8": "model_int8.tflite", "uint8": "model_uint8.tflite"}
"""The model's file, by the dtype of its input and output."""
SOURCE = "model.keras"
WEB_MODEL = "web/model.tflite"
"""The page's own file: LiteRT.js has no int8 tensors, so this one takes and returns uint8."""
LARGEST_FILE = 2**28
"""Bytes; no model for a phone is larger."""
_LARGEST_MANIFEST = 2**24


@dataclass(frozen=True)
class Photographs:
    """Image files with the pixels that an app must make of them.

    Attributes:
        files: JPEG files of odd size, turned upright by their EXIF orientation.
        pixels: the file of raw uint8 pixels, image after image, as the model takes them.
        outputs: the file of outputs for exactly these pixels.
        tolerance: levels of 0-255 by which a pixel may differ, because JPEG decoders round
            differently.
    """

    files: tuple[str, ...]
    pixels: str
    outputs: str
    tolerance: int


@dataclass(frozen=True)
class Golden:
    """Images with the exact outputs that a phone must compute for them.

    Attributes:
        images: the file of raw uint8 pixels, image after image, row by row.
        outputs: the file of outputs, as the model stores them.
        count: how many images there are.
        photographs: image files for what happens before the model; None in older bundles.
    """

    images: str
    outputs: str
    count: Annotated[int, Field(ge=1)]
    photographs: Photographs | None = None


@dataclass(frozen=True)
class Score:
    """The score of a model on test images.

    Attributes:
        accuracy: fraction of the images that the model classifies correctly.
        count: how many images there are.
    """

    accuracy: float
    count: int


@dataclass(frozen=True)
class Manifest:
    """Everything that an app, or a test of it, needs to know about a bundle.

    Attributes:
        name: of the model.
        model: the file of the int8 model.
        source: the file of the Keras model that it was made from.
        input: of the int8 model; a real value is `scale * (stored - zero_point)`.
        output: of the int8 model.
        labels: the class names, empty if they are unknown.
        golden: the golden images.
        test_accuracy: accuracy of `model` on the test images; None if it was not measured.
        test_images: how many test images there are.
        sha256: digest of every other file, by its path in the bundle.
        versions: of the packages that made the bundle.
        machine: the kind of processor on which LiteRT computed the golden answers, as
            `platform.machine()` names it.
        created: date and time.
        threshold: the probability from which a class is predicted, of a model with a single output
            or with a sigmoid for each class; None for one that predicts its most probable class.
        runs_on: what runs `model` and what does not, in words; empty in older bundles.
        format: of this file; 1 had no digest.
        digest: SHA-256 of all of this.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    model: str
    source: str
    input: TensorSummary
    output: TensorSummary
    labels: tuple[str, ...]
    golden: Golden
    test_accuracy: float | None
    test_images: int | None
    sha256: dict[str, str]
    versions: dict[str, str]
    machine: str
    created: str
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    runs_on: tuple[str, ...] = ()
    format: Literal[1, 2] = 2
    digest: str = field(default="", compare=False)

    def _repr_html_(self) -> str:
        facts = {"classes": self.labels, "golden images": self.golden.count}
        for name, tensor in (("input", self.input), ("output", self.output)):
            facts[name] = f"{tensor.dtype} {'x'.join(map(str, tensor.shape))}"
        if self.threshold is not None:
            facts["threshold"] = f"{self.threshold:g}"
        if self.test_accuracy is not None:
            facts["accuracy"] = f"{self.test_accuracy:.2%} of {self.test_images:,} test images"
        files = [[name, digest[:12]] for name, digest in self.sha256.items()]
        table = html_facts(f"{self.name}: a bundle", facts)
        return table + html_table(["file", "SHA-256"], files)

    @property
    def reading(self) -> Reading:
        """How an app reads the model's outputs."""
        return reading_of(self.output, self.threshold)

    def save(self, folder: Path) -> None:
        """Write `bundle.json`, with its digest."""
        signed = replace(self, digest=_digest(self))
        (folder / FILE).write_bytes(_MANIFEST.dump_json(signed, indent=2) + b"\n")


_MANIFEST = TypeAdapter(Manifest)


def _digest(manifest: Manifest) -> str:
    values = _MANIFEST.dump_python(manifest, mode="json")
    if manifest.golden.photographs is None:  # as bundles without them were signed
        del values["golden"]["photographs"]
    if manifest.threshold is None:
        del values["threshold"]
    if not manifest.runs_on:
        del values["runs_on"]
    return sha256_of_json({name: values[name] for name in values if name != "digest"})


def read(folder: Path) -> Manifest:
    """Read the manifest of a bundle, and check every file that it names.

    Raises:
        ValueError: there is no bundle, or one of its files is missing, has changed or is too large.
    """
    if not (folder / FILE).is_file():
        raise ValueError(
            f"{str(folder)!r} is no bundle, because it has no {FILE}. Make a bundle with "
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
    if (manifest.format > 1 or manifest.digest) and manifest.digest != _digest(manifest):
        raise ValueError(f"{str(folder / FILE)!r} has changed since the bundle was made.")
    for name, digest in manifest.sha256.items():
        if sha256(inside(folder, name)) != digest:
            raise ValueError(f"{str(folder / name)!r} has changed since the bundle was made.")
    return manifest


def inside(folder: Path, name: str, *, largest: int = LARGEST_FILE) -> Path:
    """Return the path of a bundle's file.

    Raises:
        ValueError: the name leads out of the bundle, or the file does not exist or is too large.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{FILE} names a file outside the bundle: {name!r}.")
    if not path.is_file():
        raise ValueError(f"The bundle {str(folder)!r} lacks its file {name!r}.")
    if path.stat().st_size > largest:
        raise ValueError(f"{str(path)!r} has more than {largest:,} bytes.")
    return path
