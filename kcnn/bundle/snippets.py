"""Write what an app's developer reads: a README and Kotlin, Swift, C++ with the model's numbers."""

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kcnn.bundle.manifest import Score
from kcnn.bundle.photographs import TOLERANCE
from kcnn.bundle.reading import predicts_several
from kcnn.literals import c_string, kotlin_string, swift_string
from kcnn.litert import TFLiteSummary, read_requirements
from kcnn.runtimes.runtime import ROUNDING
from kcnn.templates import templates

FILES = (
    "Classifier.kt",
    "InterpreterClassifier.kt",
    "Picture.kt",
    "Scores.kt",
    "Classifier.swift",
    "Picture.swift",
    "classifier.h",
    "picture.h",
    "classifier_litert.cc",
    "classifier_micro.cc",
)

# TensorFlow Lite Micro's names of operators, where they are not the schema's words in title case.
_MICRO_NAMES = {"PADV2": "PadV2", "BATCH_MATMUL": "BatchMatMul"}


def write_snippets(
    summary: TFLiteSummary,
    folder: Path,
    *,
    arena_bytes: int,
    arena_note: str,
    threshold: float | None = None,
) -> list[Path]:
    """Write the files and return their paths.

    Args:
        summary: the int8 model, with its class names.
        folder: where the files are written.
        arena_bytes: memory that TensorFlow Lite Micro gets for the model's activations.
        arena_note: one line that says how that number is known.
        threshold: the probability from which a class is predicted; None for the most probable one.
    """
    values = facts_of(summary, threshold) | {
        "operators": micro_operators(tuple(summary.operators)),
        "arena_bytes": arena_bytes,
        "arena_note": arena_note,
    }
    return [write_template(folder / name, values) for name in FILES]


def write_readme(
    summary: TFLiteSummary,
    folder: Path,
    *,
    name: str,
    golden: int,
    score: Score | None,
    no_plain_c: str | None = None,
    threshold: float | None = None,
) -> Path:
    """Write the README: what each file is, and how to check a port. Return its path.

    Args:
        summary: the int8 model, with its class names.
        folder: where the file is written.
        name: of the model.
        golden: how many golden images there are.
        score: of the model on test images; None if it was not measured.
        no_plain_c: why the bundle has no plain C; None if it has.
        threshold: the probability from which a class is predicted; None for the most probable one.
    """
    values = {
        "name": name,
        "count": golden,
        "score": score,
        "bytes": summary.bytes,
        "machine": platform.machine(),
        "rounding": ROUNDING,
        "tolerance": TOLERANCE,
        "no_plain_c": no_plain_c,
        "runs_on": read_requirements(summary.path.read_bytes()).lines(),
    }
    return write_template(folder / "README.md", facts_of(summary, threshold) | values)


def facts_of(summary: TFLiteSummary, threshold: float | None) -> dict[str, Any]:
    """Return what the templates say of a model.

    Args:
        summary: the int8 model, with its class names.
        threshold: the probability from which a class is predicted; None for the most probable one.
    """
    source, target = summary.inputs[0], summary.outputs[0]
    _, height, width, channels = source.shape
    outputs = target.shape[1]
    labels = summary.labels or tuple(map(str, range(max(outputs, 2))))
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "labels": labels,
        "outputs": outputs,
        "binary": outputs == 1,
        "several": predicts_several(threshold, outputs),
        "threshold": None if threshold is None else repr(float(threshold)),
        "nul_in_labels": any("\0" in label for label in labels),
        "scale": repr(target.scale),
        "zero_point": target.zero_point,
        "stored": target.dtype,
        "model": summary.path.name,
        "probabilities": target.name == "probabilities",
    }


def write_template(path: Path, values: Mapping[str, Any], *, template: str | None = None) -> Path:
    """Write a file from its template and return its path.

    Args:
        path: the file; its folder is made.
        values: what the template needs.
        template: its name without `.j2`; that of the file by default.
    """
    environment = templates(Path(__file__).with_name("templates"), html=False)
    environment.filters |= {"kotlin": kotlin_string, "swift": swift_string, "c": c_string}
    source = environment.get_template(f"{template or path.name}.j2").render(values)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8", newline="\n")
    return path


def micro_operators(names: Sequence[str]) -> list[str]:
    """Return the names of operators as TensorFlow Lite Micro's resolver spells them.

    >>> micro_operators(["CONV_2D", "FULLY_CONNECTED", "PADV2"])
    ['Conv2D', 'FullyConnected', 'PadV2']
    """
    return [_MICRO_NAMES.get(name) or name.title().replace("_", "") for name in names]
