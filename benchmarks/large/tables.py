"""The tables of `docs/scaling.md`, from `docs/scaling.json`."""

import json
from typing import Any

from benchmarks.large.figures import FILE


def scaling(part: str) -> str:
    """Return the table of a part of `benchmarks/large`, with its origin under it."""
    return _TABLES[part](json.loads(FILE.read_text())[part])


def _program(figures: dict[str, Any]) -> str:
    lines = ["| devices | each computes | each adds up |", "| ---: | ---: | ---: |"]
    for row in figures["rows"]:
        computed = f"{row['flops'] / 1e9:.2f} GFLOP"
        exchanged = f"{row['exchanged_bytes'] / 1e6:.3f} MB"
        lines.append(f"| {row['devices']} | {computed} | {exchanged} |")
    versions = figures["machine"]["versions"]
    return "\n".join(lines) + (
        f"\n\nA step of {figures['model']} on {figures['batch']} images as XLA compiles it for "
        f"virtual devices of a CPU (JAX {versions['jax']}); the gradients alone are "
        f"{figures['gradient_bytes'] / 1e6:.3f} MB.\n"
    )


_TABLES = {"program": _program}
