"""What a study has found so far, as `study.json`, a page and a picture."""

import dataclasses
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from kcnn.data.catalogue import short
from kcnn.report import receipts
from kcnn.report.study_page import write_study_page
from kcnn.report.study_plot import plot_study
from kcnn.report.study_report import State, StudyReport, Trial
from kcnn.run_dir import RunDir
from kcnn.sweep import Sweep
from kcnn.tune.goal import Goal
from kcnn.tune.study import is_over_seeds
from kcnn.tune.trials import Place, counts

RESULTS, PICTURE = "study.json", "study.png"

_STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}

logger = logging.getLogger("kcnn")


def write_results(study: optuna.Study, sweep: Sweep, goal: Goal, folder: Path) -> StudyReport:
    """Write what a study has found into its folder, and return it."""
    report = report_of(study, sweep, goal, folder)
    write_report(report, folder)
    return report


def write_report(report: StudyReport, folder: Path) -> None:
    """Write the results of a study, its page and its picture into a folder."""
    report.save(folder / RESULTS)
    write_study_page(report, folder)
    if any(each.accuracy is not None for each in report.trials):
        plot_study(report, folder / PICTURE)


def report_of(study: optuna.Study, sweep: Sweep, goal: Goal, folder: Path) -> StudyReport:
    """Return the trials of a study, with what is in their folders."""
    return StudyReport(
        name=study.study_name,
        model=sweep.recipe.model.builder,
        dataset=short(sweep.recipe.data.name),
        space={} if not sweep.space else {key: _text(each) for key, each in sweep.space.items()},
        trials=tuple(
            _with_run(_row(tries, goal), tries[-1].user_attrs.get("file"), folder)
            for tries in _attempts(study)
        ),
        max_bytes=goal.max_bytes,
        max_ms=goal.max_ms,
    )


def trials_of(study: optuna.Study, goal: Goal) -> list[Trial]:
    """Return the trials of a study without what is in their folders: no file is read."""
    return [_row(tries, goal) for tries in _attempts(study)]


def _attempts(study: optuna.Study) -> list[list[FrozenTrial]]:
    """Return the attempts at each trial, however many workers have worked on it."""
    attempts: dict[int, list[FrozenTrial]] = {}
    for trial in study.get_trials(deepcopy=False):
        if "double" not in trial.user_attrs and trial.state != TrialState.WAITING:
            attempts.setdefault(Place.of(trial).number, []).append(trial)
    return [tries for tries in attempts.values() if _is_shown(tries[-1])]


def _is_shown(trial: FrozenTrial) -> bool:
    return counts(trial) or trial.state == TrialState.RUNNING


def _with_run(trial: Trial, file: str | None, folder: Path) -> Trial:
    """Return the trial with what its run says, where that is on this machine."""
    if not (folder / trial.folder).is_dir():
        return dataclasses.replace(trial, folder="")
    accuracy = _test_accuracy(folder / trial.folder, file) if file else None
    return dataclasses.replace(trial, test_accuracy=accuracy)


def _row(tries: Sequence[FrozenTrial], goal: Goal) -> Trial:
    trial = tries[-1]
    place, attrs = Place.of(trial), trial.user_attrs
    accuracy = trial.values[0] if trial.values else None
    begun = tries[0].datetime_start
    took = (trial.datetime_complete - begun) if trial.datetime_complete and begun else None
    size, milliseconds = attrs.get("bytes"), attrs.get("ms")
    died = "its workers died" if trial.state == TrialState.FAIL else ""
    return Trial(
        number=place.number,
        state=_STATES[trial.state],
        values=dict(trial.params),
        accuracy=accuracy,
        bytes=size,
        ms=milliseconds,
        within=size is None or goal.is_met(size, milliseconds),
        epochs=len(trial.intermediate_values),
        attempts=place.attempt,
        seconds=round(took.total_seconds(), 1) if took else None,
        folder=place.folder,
        reason=attrs.get("failed") or attrs.get("reason") or died,
    )


def _test_accuracy(folder: Path, file: str) -> float | None:
    """Return the score of a trial's file, None where the run is on another machine."""
    with suppress(ValueError):
        for receipt in receipts.load(RunDir(folder).report).receipts:
            if receipt.file == file:
                return receipt.accuracy
    return None


def _text(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return " or ".join(map(str, distribution.choices))
    values = vars(distribution)
    low, high = (values.get(name, values.get(f"_{name}")) for name in ("low", "high"))
    if is_over_seeds({"seed": distribution}):
        return "0, 1, 2 and so on"
    steps = ", logarithmic" if values.get("log") else ""
    steps += f", in steps of {values['step']}" if values.get("step") not in (None, 1) else ""
    return f"{low} to {high}{steps}"
