"""What each variant of a model is worth: its score, its sizes, its times."""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kcnn import compress
from kcnn.evaluation import Evaluation, evaluate
from kcnn.pipeline.backend import on_jax
from kcnn.pipeline.variants import Variant
from kcnn.report.receipts import Receipt, receipt

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData

logger = logging.getLogger("kcnn")


def score(variant: Variant, data: "Data | JaxData") -> Evaluation:
    """Score a variant's file on the whole test set."""
    logger.info("scoring %s on the test set", variant.file.name)
    return evaluate(variant.file, data.test, expected_count=data.num_test, tta=variant.tta)


def receipts(variants: Sequence[Variant], evaluations: Sequence[Evaluation]) -> tuple[Receipt, ...]:
    """Return the receipt of each variant; on JAX without times.

    The times of one call can be compared with each other, because all variants take turns.
    """
    measured = _measured(variants)
    return tuple(
        receipt(variant.name, variant.file, evaluation, **_facts(variant), **times)
        for variant, evaluation, times in zip(variants, evaluations, measured, strict=True)
    )


def _measured(variants: Sequence[Variant]) -> Sequence[Mapping[str, Any]]:
    """Return what was measured of each variant, as fields of `Receipt`."""
    if on_jax():  # where LiteRT need not be installed
        return [{"ms_per_image": None} for _ in variants]
    from kcnn.pipeline.litert_times import measure

    return measure(variants)


def _facts(variant: Variant) -> dict[str, Any]:
    """Return what is known of a variant's model without running it, as fields of `Receipt`."""
    return {
        "sparsity": compress.sparsity(variant.model),
        "parameters": variant.model.count_params(),
        "macs": variant.macs,
    }
