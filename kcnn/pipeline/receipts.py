"""What each variant of a model is worth: its score, its sizes, its time for an image."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kcnn import export
from kcnn.evaluation import TTA, Evaluation
from kcnn.pipeline.variants import Variant, facts
from kcnn.report.receipts import Receipt, receipt
from kcnn.runtimes import latency, micro

_ROUNDS = 50  # of each variant on each number of threads
_APART = 0.25  # share that two ways to measure the same time may differ by, beside 0.02 ms
_TIMEOUT = 3600.0  # seconds; a large network in many variants takes minutes

logger = logging.getLogger("kcnn")


def receipts(variants: Sequence[Variant], evaluations: Sequence[Evaluation]) -> tuple[Receipt, ...]:
    """Return what each variant is worth: its score, its sizes, its time for an image.

    The times of one call can be compared with each other: all variants take turns.
    """
    times = _times(variants)
    return tuple(
        _receipt(variant, evaluation, times[variant.file])
        for variant, evaluation in zip(variants, evaluations, strict=True)
    )


def _receipt(variant: Variant, evaluation: Evaluation, times: dict[str, float | None]) -> Receipt:
    return receipt(
        variant.name,
        variant.file,
        evaluation,
        **{field: taken and taken * TTA[variant.tta] for field, taken in times.items()},
        **facts(variant),
        arena_bytes=_arena_bytes(variant),
    )


def _times(variants: Sequence[Variant]) -> dict[Path, dict[str, float | None]]:
    """Measure every file on the one runtime that a phone has, as fields of `Receipt`."""
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
    """Return the variant's file, that of a Keras model in floats."""
    if variant.file.suffix == ".tflite":
        return variant.file.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "float.tflite"
        export.export_tflite(variant.model, file, quantization="none")
        return file.read_bytes()


def _arena_bytes(variant: Variant) -> int | None:
    """Measure what an int8 file takes of a microcontroller's memory, where that can be asked."""
    if variant.file.suffix != ".tflite" or micro.available() is not None:
        return None
    try:
        return micro.arena_bytes(variant.file.read_bytes())
    except RuntimeError as reason:  # it lacks some operators in int8, such as the LRN's logarithm
        logger.warning("no arena size of %s: %s", variant.file.name, reason)
        return None
