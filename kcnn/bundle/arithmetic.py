"""What a bundle's README and code make of the model's outputs, compared with the model itself.

The golden answers are stored numbers. A README or a classifier with another scale, or with a
softmax too many, passes them and still shows wrong probabilities. So the formulas are read from the
files, applied to the golden answers, and compared with the probabilities of the `.tflite` file and
of the Keras model.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcnn.answers import as_probabilities, decide
from kcnn.bundle.manifest import Manifest, inside
from kcnn.bundle.reading import Reading
from kcnn.litert.final_activation import final_activation

_NUMBER = r"(-?[\d.]+(?:e-?\d+)?)"
_ROUNDING = 1e-4  # between float32 in two languages


@dataclass(frozen=True)
class Arithmetic:
    """How the outputs of a bundle's model are read, on its golden images.

    Attributes:
        differences: for each file with a formula, the largest difference of a probability from that
            of the `.tflite` file.
        from_source: the mean difference of a probability from that of the Keras model.
        otherwise: the same, if logits are taken for probabilities, or probabilities for logits.
    """

    differences: Mapping[str, float]
    from_source: float
    otherwise: float

    @property
    def complaints(self) -> list[str]:
        """How files depart from the model, one line each; empty if none does."""
        lines = [
            f"{file} reads the outputs otherwise than the model: a probability differs by "
            f"{difference:.3f}."
            for file, difference in self.differences.items()
            if difference > _ROUNDING
        ]
        if self.from_source > self.otherwise + _ROUNDING:
            lines.append(
                "Logits are taken for probabilities, or probabilities for logits: they differ from "
                f"those of the Keras model by {self.from_source:.3f} on average, and by "
                f"{self.otherwise:.3f} if they are read the other way."
            )
        return lines


def check_arithmetic(
    folder: Path, manifest: Manifest, levels: np.ndarray, by_source: np.ndarray
) -> Arithmetic:
    """Return what the README, the snippets and the page make of the golden answers.

    Files that the bundle does not have, such as those of older bundles, are left out.

    Args:
        folder: of the bundle.
        manifest: its manifest.
        levels: the golden answers [N, outputs] without their zero point.
        by_source: the probabilities [N, classes] of the Keras model for the golden images.
    """
    data, scale = inside(folder, manifest.model).read_bytes(), manifest.reading.scale
    real = np.float32(scale) * levels.astype(np.float32)
    activation = decide(final_activation(data), real, step=scale)
    expected = as_probabilities(real, activation)
    swapped = as_probabilities(real, "sigmoid" if activation is None else None)
    return Arithmetic(
        _differences(folder, manifest, levels, expected),
        *(float(np.abs(each - by_source).mean()) for each in (expected, swapped)),
    )


def _differences(
    folder: Path, manifest: Manifest, levels: np.ndarray, expected: np.ndarray
) -> dict[str, float]:
    stored = levels + manifest.reading.zero_point
    found = {}
    for name, read in _READERS.items():
        if name not in manifest.sha256:
            continue
        reading = read(inside(folder, name).read_text(encoding="utf-8", errors="replace"))
        # LiteRT.js has uint8 tensors only: an int8 number plus 128.
        shift = 128 if name == _PAGE and manifest.output.dtype == "int8" else 0
        shown = reading and reading.probabilities(stored + shift - reading.zero_point)
        found[name] = 1.0 if shown is None else float(np.abs(shown - expected).max())
    return found


def _number(pattern: str, text: str) -> float | None:
    found = re.search(pattern.replace("NUMBER", _NUMBER), text)
    return None if found is None else float(found[1])


def _code(scale: str, zero_point: str) -> Callable[[str], Reading | None]:
    """Return what reads source code with its constants; an exponential shows what it applies."""

    def read(text: str) -> Reading | None:
        code = re.sub(r'"(?:\\.|[^"\\])*"', "", text)  # without class names
        numbers = _number(scale, code), _number(zero_point, code)
        if numbers[0] is None or numbers[1] is None:
            return None
        exponential = re.search(r"\bexpf?\(", code)
        applied = ("softmax" if "sum" in code else "sigmoid") if exponential else None
        return Reading(numbers[0], int(numbers[1]), applied)

    return read


def _readme(text: str) -> Reading | None:
    """Read the formula `scale * (q - zero point)` and what it stands for."""
    found = re.search(
        rf"stands for the (logit|probability) `{_NUMBER} \* \(q ([-+]) (\d+)\)`", text
    )
    if found is None:
        return None
    applied = None if found[1] == "probability" else "softmax" if "a softmax" in text else "sigmoid"
    zero_point = int(found[4]) * (1 if found[3] == "-" else -1)
    return Reading(float(found[2]), zero_point, applied)


def _page(text: str) -> Reading | None:
    try:
        output = json.loads(text)["output"]
        applied = output.get("activation", "softmax" if output.get("softmax") else None)
        return Reading(float(output["scale"]), int(output["zero_point"]), applied)
    except (ValueError, TypeError, KeyError):
        return None


_PAGE = "web/page.json"
_READERS: Mapping[str, Callable[[str], Reading | None]] = {
    "README.md": _readme,
    "snippets/classifier.h": _code(r"kOutputScale = NUMBERf", r"kOutputZeroPoint = NUMBER"),
    "snippets/Scores.kt": _code(r"OUTPUT_SCALE = NUMBERf", r"OUTPUT_ZERO_POINT = NUMBER"),
    "snippets/Classifier.swift": _code(r"outputScale: Float = NUMBER", r"outputZeroPoint = NUMBER"),
    _PAGE: _page,
}
