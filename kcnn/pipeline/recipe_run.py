"""The whole story of a run, from a recipe to its receipts, on both backends."""

import os
from pathlib import Path

from kcnn.models.files import in_float32
from kcnn.pipeline.backend import check_backend, facts_of_backend, split_plan
from kcnn.pipeline.control import add_control, check_control
from kcnn.pipeline.findings import write_findings
from kcnn.pipeline.plan import check_stages, make_variants, plan_of
from kcnn.pipeline.precision import resolve_precision
from kcnn.pipeline.prepare import prepare
from kcnn.pipeline.receipts import receipts, score
from kcnn.pipeline.records import begin, facts_of_training, plot_training, report_of
from kcnn.pipeline.stages.explain import explained_images
from kcnn.pipeline.training_setup import callbacks_for
from kcnn.pipeline.variants import with_tta
from kcnn.provenance import git_commit
from kcnn.recipe import Recipe
from kcnn.report.receipts import Report
from kcnn.run_dir import RunDir


def run(
    recipe: Recipe,
    name: str,
    folder: str | os.PathLike,
    *,
    data_dir: str | None = None,
    overwrite: bool = False,
    control: bool = False,
) -> Report:
    """Train, compress, score and explain as `recipe` says, and keep all of it in `folder`.

    Choices are made on validation images only; the test set is scored once, at the end. On the
    JAX backend TensorFlow is not needed, and the stages that need it are left out, which the log
    and `report.json` say.

    Args:
        recipe: What to do.
        name: What to call the run in its report.
        folder: The run's folder; made if absent.
        data_dir: Where prepared tfds data sets lie; None for tfds's own default.
        overwrite: Allow a folder that holds an earlier run.
        control: Train a second time without the recipe's teacher, to show what it is worth.

    Raises:
        ValueError: The recipe cannot be run; nothing has been written then.
        RuntimeError: The data cannot be had, or training diverged.
    """
    # Everything that can be refused is refused before the training, and before anything is written.
    run_dir = RunDir(Path(folder))
    run_dir.check_free(overwrite=overwrite)
    check_backend(recipe, control=control)
    check_control(recipe, control=control)
    plan, left_out = split_plan(plan_of(recipe))
    recipe = resolve_precision(recipe)
    commit = git_commit()  # of the code that runs, not of what it has become by the end
    prepared = prepare(recipe, data_dir)
    data, model = prepared.data, prepared.model
    check_stages(plan, model, data)
    callbacks = callbacks_for(recipe.train, data, run_dir.path)
    begin(run_dir, recipe, data.class_names)
    backend = facts_of_backend(left_out, run_dir.model)

    trained = None if recipe.trained else prepared.training(callbacks=callbacks)
    model = in_float32(trained.model if trained else model)
    variants = make_variants(plan, recipe, model, data, run_dir)
    if recipe.tta != "none":
        variants.append(with_tta(variants[0], recipe.tta))

    evaluations = [score(variant, data) for variant in variants]
    plot_training(run_dir, trained, evaluations[0], data.class_names)
    report = report_of(
        recipe,
        name,
        data,
        model,
        facts_of_training(recipe, trained) | backend,
        receipts(variants, evaluations),
        commit,
    )
    report.save(run_dir.report)
    explained = explained_images(recipe.explain, run_dir)
    write_findings(run_dir, data, variants, evaluations, explained=explained)
    if control:  # once the run itself is safe: this is another training, and may diverge
        report = add_control(report, recipe, data_dir, run_dir)
    return report
