"""The files in a run's folder, read back without TensorFlow, data or models."""

import csv
from dataclasses import dataclass
from pathlib import Path

from kcnn.errors import naming, one_line
from kcnn.recipe import Recipe, from_json
from kcnn.report import analysis, receipts, robustness
from kcnn.report.analysis import Analysis
from kcnn.report.receipts import Report
from kcnn.report.robustness import RobustnessReport
from kcnn.run_digests import check_unchanged
from kcnn.run_dir import RunDir

History = dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class RunFiles:
    """The files of a run; a file that an older or shorter run lacks is None.

    Attributes:
        run_dir: the run's folder.
        report: its receipts.
        recipe: what was run.
        history: one value an epoch under each of `loss`, `accuracy`, `val_loss`, `val_accuracy` and
            `learning_rate`.
        analysis: its mistakes.
        robustness: its scores on corrupted images.
    """

    run_dir: RunDir
    report: Report
    recipe: Recipe | None = None
    history: History | None = None
    analysis: Analysis | None = None
    robustness: RobustnessReport | None = None


def read_run(folder: Path) -> RunFiles:
    """Read the folder of a run.

    Raises:
        ValueError: the folder holds no run, or one of its files is damaged.
    """
    run_dir = RunDir(folder)
    if (folder / "results.json").is_file() and not run_dir.report.is_file():
        raise ValueError(
            f"{str(folder)!r} holds a comparison, not a run: its own page is its table.md."
        )
    if run_dir.journal.is_file() and not run_dir.report.is_file():
        raise ValueError(
            f"{str(folder)!r} holds an unfinished run, which has no scores yet: the same command "
            f"continues it. `kcnn inspect {folder}` and `kcnn report {folder}` show what it has."
        )
    check_unchanged(
        run_dir.recipe, run_dir.labels, run_dir.history, run_dir.report, run_dir.analysis
    )
    corrupted = folder / robustness.FILE
    report = receipts.load(run_dir.report)
    return RunFiles(
        run_dir,
        report,
        _read_recipe(run_dir.recipe),
        read_history(run_dir.history),
        analysis.load(run_dir.analysis) if run_dir.analysis.is_file() else None,
        robustness.load(corrupted) if corrupted.is_file() else None,
    )


def _read_recipe(path: Path) -> Recipe | None:
    if not path.is_file():
        return None
    with naming(path):
        return from_json(path.read_text(encoding="utf-8"))


def read_history(path: Path) -> History | None:
    """Return the columns of the CSV file, or None if the file or its first epoch is missing."""
    if not path.is_file():
        return None
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, strict=True))
        columns = {key: tuple(float(row[key]) for row in rows) for key in (rows[0] if rows else ())}
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise ValueError(
            f"{str(path)!r} is no history of a training: {one_line(error)}."
        ) from error
    return columns if columns.get("loss") else None
