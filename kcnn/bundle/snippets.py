"""Source code for an app: this model's own numbers in Kotlin, Swift and C++."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from kcnn.litert import TFLiteSummary

FILES = (
    "Classifier.kt",
    "Classifier.swift",
    "classifier.h",
    "classifier_litert.cc",
    "classifier_micro.cc",
)

# The names that TensorFlow Lite Micro gives to operators where they are not made of the words.
_MICRO = {"PADV2": "PadV2", "BATCH_MATMUL": "BatchMatMul"}


def write_snippets(
    summary: TFLiteSummary, folder: Path, *, arena_bytes: int, arena_note: str
) -> list[Path]:
    """Write the files and return their paths.

    Args:
        summary: the int8 model, with its class names.
        folder: where to.
        arena_bytes: what TensorFlow Lite Micro gets for the model's activations.
        arena_note: how that is known, one line.
    """
    environment = Environment(
        loader=PackageLoader("kcnn.bundle", "snippets"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # source code, not HTML  # noqa: S701
    )
    environment.filters["text"] = _string
    source, target = summary.inputs[0], summary.outputs[0]
    _, height, width, channels = source.shape
    values = {
        "height": height,
        "width": width,
        "channels": channels,
        "labels": summary.labels or tuple(map(str, range(target.shape[1]))),
        "scale": repr(target.scale),
        "zero_point": target.zero_point,
        "probabilities": target.name == "probabilities",
        "operators": micro_operators(tuple(summary.operators)),
        "arena_bytes": arena_bytes,
        "arena_note": arena_note,
    }
    paths = []
    for name in FILES:
        text = environment.get_template(f"{name}.j2").render(values)
        (folder / name).write_text(text)
        paths.append(folder / name)
    return paths


def micro_operators(names: Sequence[str]) -> list[str]:
    """Return the names of operators as TensorFlow Lite Micro's resolver spells them.

    >>> micro_operators(["CONV_2D", "FULLY_CONNECTED", "PADV2"])
    ['Conv2D', 'FullyConnected', 'PadV2']
    """
    return [_MICRO.get(name) or name.title().replace("_", "") for name in names]


def _string(value: str) -> str:
    """Return a text as the source code of a string, the same in all these languages."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
