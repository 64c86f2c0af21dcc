"""The whole story of a comparison, from its recipes to a figure and a table."""

import dataclasses
import logging
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from kcnn.comparison import Comparison
from kcnn.pipeline.comparison_folder import RESULTS, report_so_far, working_file
from kcnn.pipeline.comparison_training import check_variant, train_variant
from kcnn.pipeline.lock import lock
from kcnn.pipeline.plan import training_only
from kcnn.pipeline.precision import resolve_shared_precision
from kcnn.pipeline.setup import load_variants
from kcnn.provenance import git_commit
from kcnn.report.comparison_plot import plot_comparison
from kcnn.report.comparison_report import ComparisonReport, Outcome
from kcnn.report.comparison_table import document
from kcnn.tensorflow_only import check_tensorflow
from kcnn.text_files import write_text

_PICTURE, _TABLE = "comparison.png", "table.md"

logger = logging.getLogger("kcnn")


def run_comparison(
    comparison: Comparison,
    name: str,
    folder: str | os.PathLike,
    *,
    data_dir: str | None = None,
    overwrite: bool = False,
) -> ComparisonReport:
    """Train and score every variant from every seed, and draw and tabulate the results.

    Every variant is trained for all of its epochs and scored with its last weights: no epoch is
    chosen, so there is no early stopping. A training that diverges is a result. All trainings
    have one precision: the one that "auto" means here.

    `results.json` is written after every training. A comparison that was stopped continues where
    it was and ends with the results that it would have had otherwise. Variants and seeds may be
    added to a finished one; without new ones it is only drawn again.

    Args:
        comparison: What to train.
        name: What to call it in its report.
        folder: Where `results.json`, `comparison.png` and `table.md` go; made if absent.
        data_dir: Where prepared tfds data sets lie; None for tfds's own default.
        overwrite: Begin again in a folder that holds a comparison. Its results are replaced once
            the new ones are complete.

    Raises:
        ValueError: A variant cannot be trained, or the folder holds other files; nothing has been
            written then.
        RuntimeError: The data cannot be had.
    """
    check_tensorflow(f"Comparisons such as {name!r} are made")
    folder = Path(folder)
    comparison, commit = training_only(comparison), git_commit()
    with ExitStack() as held:
        if known := folder.is_dir():
            held.enter_context(lock(folder))
        begun = report_so_far(comparison, folder, overwrite=overwrite)
        comparison = resolve_shared_precision(begun.comparison if begun else comparison, data_dir)
        report = _continued(ComparisonReport(name, comparison), begun)
        if missing := report.missing():
            _check_all(comparison, data_dir)
        if not known:
            held.enter_context(lock(folder))
            report = _continued(report, report_so_far(comparison, folder, overwrite=overwrite))
            missing = report.missing()  # another process may have come and gone
        file = working_file(folder, overwrite=overwrite)
        return _train_missing(report, missing, file, data_dir, commit)


def _train_missing(
    report: ComparisonReport,
    missing: Sequence[tuple[str, int]],
    file: Path,
    data_dir: str | None,
    commit: str | None,
) -> ComparisonReport:
    """Train what the report lacks, save it after each training, and draw and tabulate it."""
    comparison, folder = report.comparison, file.parent
    if missing and file.name == RESULTS:  # else the pictures belong to results that still stand
        for picture in (_PICTURE, _TABLE):
            (folder / picture).unlink(missing_ok=True)
    report.save(file)
    for number, (variant, seed) in enumerate(missing, start=1):
        logger.info("%s, seed %d: training %d of %d", variant, seed, number, len(missing))
        outcome = train_variant(comparison, variant, seed, data_dir)
        outcome = dataclasses.replace(outcome, git_commit=commit)
        report = dataclasses.replace(report, outcomes=(*report.outcomes, outcome))
        report.save(file)
    plot_comparison(report, folder / _PICTURE)
    write_text(folder / _TABLE, document(report, _PICTURE))
    os.replace(file, folder / RESULTS)  # last: until then, the same command ends it
    return report


def _continued(new: ComparisonReport, begun: ComparisonReport | None) -> ComparisonReport:
    """Return a new report with the outcomes of one that was begun, or that one if it is whole."""
    if begun is None:
        return new
    outcomes = tuple(_with_its_machine(outcome, begun, new) for outcome in begun.outcomes)
    grown = dataclasses.replace(new, created=begun.created, outcomes=outcomes)
    return grown if grown.missing() else dataclasses.replace(begun, comparison=new.comparison)


def _with_its_machine(outcome: Outcome, begun: ComparisonReport, new: ComparisonReport) -> Outcome:
    """Return an outcome that names the machine and the versions of its training if they differ."""
    hardware, versions = outcome.hardware or begun.hardware, outcome.versions or begun.versions
    return dataclasses.replace(
        outcome,
        hardware=None if hardware == new.hardware else hardware,
        versions=None if versions == new.versions else versions,
    )


def _check_all(comparison: Comparison, data_dir: str | None) -> None:
    """Build every variant once: a mistake in the last one must not show after an hour."""
    for name, recipe, data in load_variants(comparison, data_dir):
        try:
            check_variant(recipe, data, comparison.shifts)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
