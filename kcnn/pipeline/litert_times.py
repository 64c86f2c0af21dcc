"""How long each variant takes in LiteRT, and how much memory on a microcontroller."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kcnn import export
from kcnn.evaluation import TTA
from kcnn.pipeline.variants import Variant
from kcnn.runtimes import latency, micro

_ROUNDS = 50  # of each variant on each number of threads
_APART = 0.25  # share that two ways to measure the same time may differ by, beside 0.02 ms
_TIMEOUT = 3600.0  # seconds; a large network in many variants takes minutes

logger = logging.getLogger("kcnn")


def measure(variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """Measure the times of all variants in turns, and the memory of each int8 file.

    A variant with test-time augmentation runs once for each view, so its times are multiples.

    Returns:
        For each variant, fields of `Receipt`.
    """
    times = _times(variants)
    return [
        {field: taken and taken * TTA[variant.tta] for field, taken in times[variant.file].items()}
        | {"arena_bytes": _arena_bytes(variant)}
        for variant in variants
    ]


def _times(variants: Sequence[Variant]) -> dict[Path, dict[str, float | None]]:
    """Measure every file on LiteRT, as fields of `Receipt`."""
    files = {str(variant.file): variant for variant in variants}  # a variant and its TTA share one
    logger.info("timing %d files in turn", len(files))
    models = {name: _as_tflite(variant) for name, variant in files.items()}
    rows = latency(models, threads=(1, 2), rounds=_ROUNDS, timeout=_TIMEOUT)
    alone, shared = ({row.name: row for row in rows if row.threads == n} for n in (1, 2))
    for row in alone.values():
        tool = row.tool_milliseconds
        if tool is not None and abs(tool - row.milliseconds) > 0.02 + _APART * row.milliseconds:
            logger.warning(
                "%s: LiteRT's own benchmark tool says %.3f ms, this %.3f ms; was the machine busy?",
                Path(row.name).name,
                tool,
                row.milliseconds,
            )
    return {
        Path(name): {
            "ms_per_image": alone[name].milliseconds,
            "ms_two_threads": shared[name].milliseconds,
            "tool_ms": alone[name].tool_milliseconds,
        }
        for name in models
    }


def _as_tflite(variant: Variant) -> bytes:
    """Return a variant's `.tflite` file; a Keras model is exported in float32."""
    if variant.file.suffix == ".tflite":
        return variant.file.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "float.tflite"
        # kcnn trains on raw pixels.
        export.export_tflite(variant.model, file, quantization="none", input_range="0..255")
        return file.read_bytes()


def _arena_bytes(variant: Variant) -> int | None:
    """Measure the memory that an int8 file takes on a microcontroller, where TFLite Micro is."""
    if variant.file.suffix != ".tflite" or micro.available() is not None:
        return None
    try:
        return micro.arena_bytes(variant.file.read_bytes())
    except RuntimeError as reason:  # it lacks some operators in int8, such as the LRN's logarithm
        logger.warning("no arena size of %s: %s", variant.file.name, reason)
        return None
