"""What of a comparison is in a folder already. Nothing here imports Keras."""

import dataclasses
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kcnn.comparison import Comparison
from kcnn.pipeline.chosen_precision import in_one_precision, is_open
from kcnn.pipeline.plan import training_only
from kcnn.report import comparison_report as reports
from kcnn.report.comparison_report import ComparisonReport

if TYPE_CHECKING:
    from kcnn.training.precision import Precision

RESULTS = "results.json"
NEW_RESULTS = ".results.new.json"
"""The results of a comparison that replaces the one in the folder, until they are complete."""

logger = logging.getLogger("kcnn")


def working_file(folder: Path, *, overwrite: bool) -> Path:
    """Return the file into which a comparison writes its results while it trains."""
    return folder / (NEW_RESULTS if overwrite and (folder / RESULTS).is_file() else RESULTS)


def report_so_far(
    comparison: Comparison, folder: Path, *, overwrite: bool
) -> ComparisonReport | None:
    """Return the report in a folder that a comparison goes on with, None if it begins.

    Raises:
        ValueError: As `stored_report`.
    """
    file = working_file(folder, overwrite=overwrite)
    try:
        return stored_report(comparison, folder, file)
    except ValueError as reason:
        if file.name != NEW_RESULTS:
            raise
        logger.info("removing the results of an unfinished comparison: %s", reason)
        return None


def stored_report(
    comparison: Comparison, folder: Path, file: Path | None = None
) -> ComparisonReport | None:
    """Return the report in a folder that a comparison goes on with, None if there is none.

    Its comparison is the given one, in the precision with which it was begun. Variants and seeds
    may have been added.

    Args:
        comparison: The one that goes on.
        folder: Its folder.
        file: The file with the report; `results.json` by default.

    Raises:
        ValueError: The folder holds another comparison, or something else.
    """
    results = file or folder / RESULTS
    if not results.is_file():
        if (
            results.name == RESULTS
            and folder.exists()
            and not (folder.is_dir() and not any(folder.iterdir()))
        ):
            raise ValueError(f"{str(folder)!r} holds something else: name another folder.")
        return None
    stored = reports.load(results)
    known, given = training_only(stored.comparison), training_only(comparison)
    begun = _precision(known, given)
    try:
        comparison = in_one_precision(given, begun)
    except ValueError:  # with transfer
        raise ValueError(
            f"{str(folder)!r} holds this comparison in {begun}, in which a base cannot be trained: "
            "name another folder, or pass --overwrite (overwrite=True in Python) to begin again."
        ) from None
    if not _contains(comparison, known):
        raise ValueError(
            f"{str(folder)!r} holds another comparison, or this one before it was changed: pass "
            "--overwrite (overwrite=True in Python) to begin again, or name another folder."
        )
    return dataclasses.replace(stored, comparison=comparison)


def _precision(known: Comparison, given: Comparison) -> "Precision | Literal['auto']":
    """Return the precision that the known comparison has where the given one leaves it open."""
    for name, recipe in given.variants.items():
        if name in known.variants and is_open(recipe):
            return known.variants[name].train.precision
    return "auto"


def _contains(comparison: Comparison, known: Comparison) -> bool:
    """Return whether a comparison is the known one, perhaps with more variants and more seeds."""
    variants = {
        name: recipe for name, recipe in comparison.variants.items() if name in known.variants
    }
    if len(variants) < 2:  # no comparison
        return False
    # The wording of the question changes no number.
    same = dataclasses.replace(known, question=comparison.question, seeds=comparison.seeds)
    return set(known.seeds) <= set(comparison.seeds) and same == dataclasses.replace(
        comparison, variants=variants
    )
