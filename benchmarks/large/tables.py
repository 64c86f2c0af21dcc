"""The tables of `docs/scaling.md`, from `docs/scaling.json`."""

import json
from typing import Any

from benchmarks.large.figures import FILE
from kcnn.report.markdown_table import markdown_table


def scaling(part: str) -> str:
    """Return the table of a part of `benchmarks/large`, with its origin under it."""
    return _TABLES[part](json.loads(FILE.read_text())[part])


def _program(figures: dict[str, Any]) -> str:
    rows = [
        (
            str(row["devices"]),
            f"{row['flops'] / 1e9:.2f} GFLOP",
            f"{row['exchanged_bytes'] / 1e6:.3f} MB",
        )
        for row in figures["rows"]
    ]
    versions = figures["machine"]["versions"]
    return markdown_table(("devices", "each computes", "each adds up"), rows, left=()) + (
        f"\n\nA step of {figures['model']} on {figures['batch']} images as XLA compiles it for "
        f"virtual devices of a CPU (JAX {versions['jax']}); the gradients alone are "
        f"{figures['gradient_bytes'] / 1e6:.3f} MB.\n"
    )


_TABLES = {"program": _program}
