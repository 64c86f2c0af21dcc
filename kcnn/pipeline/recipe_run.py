"""The whole story of a run, from a recipe to its receipts, on both backends."""

import logging
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from kcnn.pipeline.backend import (
    check_backend,
    compute_deterministically,
    facts_of_backend,
    split_plan,
)
from kcnn.pipeline.control import add_control, check_control
from kcnn.pipeline.findings import write_findings
from kcnn.pipeline.journal import Journal
from kcnn.pipeline.lock import lock
from kcnn.pipeline.plan import Planned, make_variants, plan_of, stage_files
from kcnn.pipeline.precision import resolve_precision
from kcnn.pipeline.preflight import check_run
from kcnn.pipeline.prepare import Prepared, prepare
from kcnn.pipeline.receipts import score_all
from kcnn.pipeline.records import (
    Facts,
    begin,
    facts_of_training,
    go_on,
    keep_digests,
    keep_measured,
    plot_training,
    report_once,
)
from kcnn.pipeline.replace import find_folder, take_place
from kcnn.pipeline.setup import load, with_absolute_data
from kcnn.pipeline.several_processes import Helpers
from kcnn.pipeline.several_processes import helpers as other_processes
from kcnn.pipeline.stages.explain import explained_images
from kcnn.pipeline.trained import save_base, train_once
from kcnn.pipeline.variants import with_tta
from kcnn.provenance import git_commit
from kcnn.recipe import Recipe
from kcnn.report.receipts import Report
from kcnn.report.receipts import load as load_report
from kcnn.run_dir import RunDir

if TYPE_CHECKING:
    import keras

    from kcnn.training.devices import Devices

logger = logging.getLogger("kcnn")


def run(  # noqa: PLR0913 - one argument for each flag of `kcnn run`
    recipe: Recipe,
    name: str,
    folder: str | os.PathLike,
    *,
    data_dir: str | None = None,
    overwrite: bool = False,
    control: bool = False,
    resume: bool = False,
    deterministic: bool = False,
    callbacks: "Sequence[keras.callbacks.Callback]" = (),
    devices: "Devices | None" = None,
) -> Report:
    """Train, compress, score and explain as `recipe` says, and keep all of it in `folder`.

    Choices are made on validation images only; the test set is scored once, at the end. On the
    JAX backend TensorFlow is not needed, and the stages that need it are left out, which the log
    and `report.json` say.

    A run that was stopped, at whatever moment, goes on when it is called again with the same recipe
    and folder: what is done is not done again, and a training goes on from its kept state. So does
    one in which a stage failed, which is then tried again; `training["failed"]` of its report says
    why.

    Args:
        recipe: What to do.
        name: What to call the run in its report.
        folder: The run's folder; made if absent.
        data_dir: Where prepared tfds data sets lie; None for tfds's own default.
        overwrite: Replace an earlier run in the folder, once the new one is finished.
        control: Train a second time without the recipe's teacher, to show what it is worth.
        resume: Demand that the folder holds an unfinished run of this recipe.
        deterministic: Compute with TensorFlow's deterministic operations, which are slower: on one
            machine two runs are then equal bit for bit, stopped in between or not.
        callbacks: Further callbacks of the training, called after the recipe's own.
        devices: Train on so many devices, or on "all"; None for one. Each computes its share of
            every batch, so that the steps are those of one device.

    Raises:
        ValueError: The recipe cannot be run; nothing has been written then.
        RuntimeError: The data cannot be had, or training diverged.
    """
    recipe = with_absolute_data(recipe)
    target = RunDir(Path(folder))
    if devices is not None and recipe.trained:
        raise ValueError(f"This recipe trains nothing on devices. Received: devices={devices!r}")
    with ExitStack() as locks:
        helpers = locks.enter_context(other_processes())
        if known := target.path.is_dir():
            locks.enter_context(lock(target.path))
        # What can be refused is refused before the training, and before anything is written.
        run_dir, begun = find_folder(
            recipe, target, overwrite=overwrite, resume=resume, deterministic=deterministic
        )
        if begun and (ended := Journal.read(run_dir)) and ended.is_complete():
            if run_dir != target:
                locks.enter_context(lock(run_dir.path))
            return _end(ended, begun, target)
        check_backend(recipe)
        check_control(recipe, control=control)
        plan, left_out = split_plan(plan_of(recipe))
        commit = git_commit()  # of the code that runs, not of what it has become by the end
        if deterministic:
            compute_deterministically()
        data = load(recipe, data_dir)
        recipe, measured = (begun, {}) if begun else resolve_precision(recipe, data, data_dir)
        prepared = prepare(recipe, data, devices)
        check_run(recipe, prepared, plan, run_dir)
        if run_dir != target or not known:
            locks.enter_context(lock(run_dir.path))
            run_dir.check_free(overwrite=overwrite)  # another run may have come and gone
        journal = (
            go_on(run_dir)
            if begun
            else begin(run_dir, recipe, data.class_names, deterministic=deterministic)
        )
        facts = keep_measured(journal, measured) | keep_digests(journal, recipe)
        facts |= facts_of_backend(left_out, run_dir.model, deterministic=deterministic)
        report = _make(journal, recipe, name, prepared, plan, facts, commit, helpers, callbacks)
        if control:  # once the run itself is safe: this is another training, and may diverge
            report = add_control(report, recipe, data_dir, journal, devices)
        if report.training.get("failed"):
            if run_dir != target:
                logger.warning(
                    "the earlier run stays in %s, this one is in %s: the same command tries again",
                    target.path,
                    run_dir.path,
                )
            return report
        journal.note_complete(replaces=run_dir != target)
        return _end(journal, recipe, target)


def _make(  # noqa: PLR0913 - all that a run is made of
    journal: Journal,
    recipe: Recipe,
    name: str,
    prepared: Prepared,
    plan: list[Planned],
    facts: Facts,
    commit: str | None,
    helpers: Helpers,
    callbacks: "Sequence[keras.callbacks.Callback]",
) -> Report:
    """Train, make the variants, score them and report."""
    run_dir, data = journal.run_dir, prepared.data
    trained = None if recipe.trained else train_once(prepared, recipe, journal, helpers, callbacks)
    model = trained.model if trained else save_base(prepared.model, journal)
    variants, failed = make_variants(plan, recipe, model, data, journal)
    if recipe.tta != "none":
        variants.append(with_tta(variants[0], recipe.tta))
    scores, unscored = score_all(variants, data, journal)
    variants, failed = [each for each in variants if each.name in scores], failed | unscored
    evaluations = list(scores.values())
    plot_training(run_dir, trained, evaluations[0], data.class_names)
    facts = facts_of_training(recipe, trained) | facts
    if failed:
        facts["failed"] = "; ".join(f"{stage}: {reason}" for stage, reason in failed.items())
    made = (recipe, name, data, model, facts)
    report = report_once(journal, *made, variants, evaluations, commit)
    explained = explained_images(recipe.explain, run_dir)
    write_findings(run_dir, data, variants, evaluations, explained=explained)
    return report


def _end(journal: Journal, recipe: Recipe, target: RunDir) -> Report:
    """End a run that is complete: nothing is left but to put its folder in its place."""
    take_place(journal.run_dir, target, stage_files(recipe, target))
    journal.run_dir = target
    journal.finish()
    return load_report(target.report)
