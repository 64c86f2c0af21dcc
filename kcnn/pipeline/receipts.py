"""What each variant of a model is worth: its score, its sizes, its times."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kcnn import compress
from kcnn.errors import one_line
from kcnn.evaluation import Evaluation, NotFinite, evaluate
from kcnn.pipeline.backend import on_jax
from kcnn.pipeline.journal import Journal
from kcnn.pipeline.variants import Variant
from kcnn.report.receipts import Receipt, receipt
from kcnn.run_digests import unusable
from kcnn.run_dir import atomic

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData

logger = logging.getLogger("kcnn")


def score(variant: Variant, data: "Data | JaxData") -> Evaluation:
    """Score a variant's file on the whole test set."""
    logger.info("scoring %s on the test set", variant.file.name)
    return evaluate(variant.file, data.test, expected_count=data.num_test, tta=variant.tta)


def score_all(
    variants: Sequence[Variant], data: "Data | JaxData", journal: Journal
) -> tuple[dict[str, Evaluation], dict[str, str]]:
    """Return the scores of the variants by their names, and for which there is none, and why.

    Raises:
        NotFinite: The trained model itself, the first variant, answers NaN or infinity.
    """
    scores: dict[str, Evaluation] = {}
    failed: dict[str, str] = {}
    for variant in variants:
        try:
            scores[variant.name] = score_once(variant, data, journal)
        except NotFinite as error:
            if not scores:
                raise
            failed[f"score {variant.name}"] = one_line(error)
            logger.warning("%s has no score: %s", variant.file.name, error)
    return scores, failed


def score_once(variant: Variant, data: "Data | JaxData", journal: Journal) -> Evaluation:
    """Score a variant on the test set, or return the score that an earlier process found."""
    name = f"score {variant.name}"
    kept = journal.run_dir.best.parent / f"score_{len(journal.steps)}.npz"
    if (facts := journal.facts(name)) is not None:
        try:
            return _read(journal.run_dir.path / facts["kept"])
        except (TypeError, KeyError) as error:  # facts that this version does not know, or lacks
            raise unusable(journal.run_dir.journal) from error
    evaluation = score(variant, data)
    with atomic(kept) as temporary, open(temporary, "wb") as file:
        np.savez(file, **vars(evaluation))
    place = kept.relative_to(journal.run_dir.path).as_posix()
    journal.record(name, [kept, variant.file], kept=place)
    return evaluation


def _read(kept: Path) -> Evaluation:
    """Return a score as it was: scored again from its float32 logits, the loss would differ."""
    with np.load(kept, allow_pickle=False) as arrays:
        values: dict[str, Any] = {
            name: each if each.ndim else each.item() for name, each in arrays.items()
        }
    values["per_class"] = tuple(values["per_class"].tolist())
    return Evaluation(**values)


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
