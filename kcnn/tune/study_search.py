"""The front door: search good values for the fields of a recipe."""

import dataclasses
import logging
import os
from pathlib import Path

import optuna

from kcnn.checks import check_count
from kcnn.recipe import Recipe
from kcnn.report.study_report import StudyReport
from kcnn.sweep import Sweep
from kcnn.tune.goal import Goal
from kcnn.tune.results import report_of, write_results
from kcnn.tune.space import SEED, check_space, first_values, for_goal, recipe_for
from kcnn.tune.storage import JOURNAL, open_storage
from kcnn.tune.study import SEEDS, open_study
from kcnn.tune.trials import counts

TRIALS = 20
"""How many trials a study has by default."""

logger = logging.getLogger("kcnn")


@dataclasses.dataclass(frozen=True)
class Search:
    """A search that can begin: its sweep is checked and its storage is open.

    Attributes:
        sweep: What is searched, without what does not count for the goal.
        goal: What for.
        study: Its study.
        folder: The study's folder.
        trials: How many trials the study is to have.
        shared: Whether other machines may take part.
    """

    sweep: Sweep
    goal: Goal
    study: optuna.Study
    folder: Path
    trials: int
    shared: bool

    def done(self) -> int:
        """Return how many trials are done."""
        return sum(map(counts, self.study.get_trials(deepcopy=False)))

    def report(self) -> StudyReport:
        """Return what the study has found so far; nothing is written."""
        return report_of(self.study, self.sweep, self.goal, self.folder)

    def write(self) -> StudyReport:
        """Write what the study has found so far into its folder, and return it."""
        return write_results(self.study, self.sweep, self.goal, self.folder)


def open_search(  # noqa: PLR0913 - one argument for each flag of `kcnn tune`
    content: Sweep | Recipe,
    folder: str | os.PathLike,
    *,
    trials: int | None = None,
    seeds: int | None = None,
    max_bytes: int | None = None,
    max_ms: float | None = None,
    storage: str | None = None,
) -> Search:
    """Check a search and open its study; nothing is trained.

    Args:
        content: The sweep, or with `seeds` the recipe.
        folder: The study's folder, made if absent. Its name is that of the study.
        trials: How many trials the study is to have, those of earlier processes and of other
            machines included; 20 by default.
        seeds: Train the recipe from the seeds 0, 1, 2 and so on, this many.
        max_bytes: The largest size of the int8 file.
        max_ms: The longest time for an image in LiteRT.
        storage: The URL of a database that machines share; None for a journal file in the folder.

    Raises:
        ValueError: The search cannot be made, its storage cannot be used, or the folder holds
            something else.
    """
    sweep, goal = _sweep_of(content, trials, seeds), Goal(max_bytes, max_ms)
    wanted = seeds if seeds is not None else TRIALS if trials is None else trials
    check_count("trials" if seeds is None else "seeds", wanted)
    sweep = for_goal(sweep, goal)
    check_space(sweep)
    folder = Path(folder)
    _check_folder(folder)
    if storage is None:
        folder.mkdir(parents=True, exist_ok=True)
    study = open_study(sweep, goal, folder.resolve().name, open_storage(storage, folder))
    folder.mkdir(parents=True, exist_ok=True)
    return Search(sweep, goal, study, folder, wanted, shared=storage is not None)


def search(  # noqa: PLR0913 - one argument for each flag of `kcnn tune`
    content: Sweep | Recipe,
    folder: str | os.PathLike,
    *,
    trials: int | None = None,
    seeds: int | None = None,
    max_bytes: int | None = None,
    max_ms: float | None = None,
    storage: str | None = None,
    data_dir: str | None = None,
) -> StudyReport:
    """Search good values for the fields of a recipe, in trials that are ordinary runs.

    Each trial has its run in a folder of its own, `trial-0007`, in that of the study. Everything is
    chosen on the validation images. Without limits, a trial that is worse than half of the others
    is ended early. With a limit, the int8 files that no other one beats are searched, and a network
    whose file would be too large is not trained.

    The same call goes on with a study that was stopped, and other processes and machines can take
    part in it: with `storage`, or in a common folder. A trial whose worker has ended is done again
    by another one, from its last kept state where that is at hand.

    Args:
        content: As in `open_search`.
        folder: As in `open_search`.
        trials: As in `open_search`.
        seeds: As in `open_search`.
        max_bytes: As in `open_search`.
        max_ms: As in `open_search`.
        storage: As in `open_search`.
        data_dir: Where prepared tfds data sets lie.

    Returns:
        The trials, also in `study.json`, on the page `study.html` and in the picture `study.png`.

    Raises:
        ValueError: As `open_search`, or the recipe cannot be run.
        RuntimeError: The data cannot be had, or three trials in a row have failed.
    """
    opened = open_search(
        content,
        folder,
        trials=trials,
        seeds=seeds,
        max_bytes=max_bytes,
        max_ms=max_ms,
        storage=storage,
    )
    return work_on(opened, data_dir)


def work_on(opened: Search, data_dir: str | None = None) -> StudyReport:
    """Do the trials of a search until it has enough, and write what it has found.

    Raises:
        ValueError: The recipe cannot be run.
        RuntimeError: The data cannot be had, or three trials in a row have failed.
    """
    from kcnn.tune.worker import Worker

    worker = Worker(
        opened.study,
        opened.sweep,
        opened.goal,
        opened.folder,
        opened.trials,
        data_dir,
        shared=opened.shared,
    )
    try:
        if opened.done() < opened.trials:
            _check_run(opened, data_dir)
            worker.work()
    finally:
        report = opened.write()
    return report


def _sweep_of(content: Sweep | Recipe, trials: int | None, seeds: int | None) -> Sweep:
    if seeds is None:
        return content if isinstance(content, Sweep) else Sweep(recipe=content, space={})
    if trials is not None:
        raise ValueError("--seeds is the number of trials: leave --trials out.")
    recipe = content.recipe if isinstance(content, Sweep) else content
    if isinstance(content, Sweep):
        raise ValueError(
            "--seeds trains one recipe from several seeds, and this is a sweep over "
            f"{', '.join(content.space)}: pass a recipe, with the values that you have chosen in "
            "--set."
        )
    return Sweep(recipe=recipe, space={SEED: SEEDS})


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{str(folder)!r} is a file; a study needs a folder.")
    if not folder.is_dir() or (folder / JOURNAL).is_file():
        return
    strange = [
        each.name
        for each in sorted(folder.iterdir())
        if not (each.name.startswith((".", "trial-", "study.", "worker-")))
    ]
    if strange:
        raise ValueError(
            f"{str(folder)!r} holds files that are of no study, such as {strange[0]!r}: name "
            "another folder."
        )


def _check_run(opened: Search, data_dir: str | None) -> None:
    """Refuse, before the first trial, what no trial could do."""
    from kcnn.pipeline.backend import check_backend, on_jax
    from kcnn.pipeline.plan import check_stages, plan_of
    from kcnn.pipeline.prepare import prepare
    from kcnn.pipeline.setup import load

    recipe = recipe_for(opened.sweep, first_values(opened.sweep))
    if opened.goal.int8 and on_jax():
        raise ValueError(
            "int8 files are made by TensorFlow: set KERAS_BACKEND=tensorflow to search them."
        )
    check_backend(recipe)
    prepared = prepare(recipe, load(recipe, data_dir))
    if opened.goal.int8:
        check_stages(plan_of(recipe), prepared.model, prepared.data)
