"""What of a comparison is in a folder already. Nothing here imports Keras."""

import dataclasses
import logging
from pathlib import Path

from kcnn.comparison import Comparison
from kcnn.pipeline.chosen_precision import in_one_precision
from kcnn.pipeline.plan import training_only
from kcnn.report import comparison_report as reports
from kcnn.report.comparison_report import ComparisonReport

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
    known = training_only(stored.comparison)
    begun = next(iter(known.variants.values())).train.precision
    comparison = in_one_precision(training_only(comparison), begun)
    if not _contains(comparison, known):
        raise ValueError(
            f"{str(folder)!r} holds another comparison, or this one before it was changed: pass "
            "--overwrite (overwrite=True in Python) to begin again, or name another folder."
        )
    return dataclasses.replace(stored, comparison=comparison)


def _contains(comparison: Comparison, known: Comparison) -> bool:
    """Return whether all trainings of the known comparison are also trainings of the other one."""
    kept = {name: comparison.variants.get(name) for name in known.variants}
    return (
        kept == known.variants
        and set(known.seeds) <= set(comparison.seeds)
        and known.shifts == comparison.shifts
    )
