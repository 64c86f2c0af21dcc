"""The tables of `docs/scaling.md`, from `docs/scaling.json`."""

import json
from typing import Any

from benchmarks.large.figures import FILE
from kcnn.provenance import with_family
from kcnn.report.markdown_table import markdown_table


def scaling(part: str) -> str:
    """Return the table of a part of `benchmarks/large`, with its origin under it."""
    return _TABLES[part](json.loads(FILE.read_text())[part])


def _reading(figures: dict[str, Any]) -> str:
    rows = [
        (
            f"{row['images']:,} in {row['shards']} files",
            f"{row['mb']:,}",
            title,
            f"{row[backend]['images_a_second']:.0f}",
            *_memory(row[backend]),
        )
        for row in figures["rows"]
        for backend, title in (("tensorflow", "TensorFlow"), ("jax", "JAX"))
    ]
    header = ("images", "MB on disk", "backend", "images/s", *_MEMORY)
    return markdown_table(header, rows, left=(0, 2)) + _machine(figures)


def _training(figures: dict[str, Any]) -> str:
    names = ("disk, until it was stopped", "disk, to the end of the epoch")
    parts = [*zip(names, figures["parts"], strict=True), ("memory", figures["in_memory"])]
    rows = [
        (name, str(part["steps_taken"]), f"{part['images_a_second']:.1f}", *_memory(part))
        for name, part in parts
    ]
    return markdown_table(("images from", "steps", "images/s", *_MEMORY), rows) + _machine(figures)


_MEMORY = ("MB early", "MB at the end", "MB at most")


def _memory(row: dict[str, float]) -> list[str]:
    return [f"{row[name]:,.0f}" for name in ("mb_early", "mb_end", "mb_most")]


def _devices(figures: dict[str, Any]) -> str:
    rows = [
        (row["what"], str(row["batch"]), f"{1000 * row['step_s']:.0f} ms", _exchange(row))
        for row in figures["rows"]
    ]
    header = ("", "images in a step", "a step takes", "exchange of the gradients alone")
    return markdown_table(header, rows) + _machine(figures)


def _exchange(row: dict[str, Any]) -> str:
    if "exchange_s" not in row:
        return "-"
    return f"{1000 * row['exchange_s']:.1f} ms for {row['gradient_bytes'] / 1e6:.2f} MB"


def _machine(figures: dict[str, Any]) -> str:
    machine = figures["machine"]
    flags = ", ".join(machine["flags"])
    processor = with_family(machine["processor"], machine.get("family", ""))
    return f"\n\nOn {machine['cores']} cores of {processor}, {flags}, {machine['date'][:10]}.\n"


def _program(figures: dict[str, Any]) -> str:
    rows = [
        (
            str(row["devices"]),
            f"{row['flops'] / 1e9:.2f} GFLOP",
            f"{row['exchanged_bytes'] / 1e6:.3f} MB",
            str(row["exchanges"]),
        )
        for row in figures["rows"]
    ]
    versions = figures["machine"]["versions"]
    return markdown_table(
        ("devices", "each computes", "each adds up", "in so many exchanges"), rows, left=()
    ) + (
        f"\n\nA step of {figures['model']} on {figures['batch']} images as XLA compiles it for "
        f"virtual devices of a CPU (JAX {versions['jax']}); the gradients alone are "
        f"{figures['gradient_bytes'] / 1e6:.3f} MB.\n"
    )


_TABLES = {"read": _reading, "train": _training, "devices": _devices, "program": _program}
