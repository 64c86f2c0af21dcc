"""The best accuracy of each model, and of each variant of it, among the runs in some folders."""

import logging
from dataclasses import dataclass
from pathlib import Path

from kcnn.models import facts
from kcnn.recipe import Recipe, from_json
from kcnn.report import receipts
from kcnn.run_dir import RunDir

# Options that leave the network as it is and change only how its weights are found.
_OF_TRAINING = {"dropout", "spatial_dropout", "initializer"}

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class BestRun:
    """The run in which a variant of a model reached its best accuracy.

    Attributes:
        accuracy: of its float model on the whole test set, 0 to 1.
        run: the run's folder.
        recipe: the name of its recipe.
        variant: the options of the builder, such as "variant=modern"; "" for the default network.
        parameters: all numbers of the model.
        macs: multiply-accumulates for an image; None in the first reports.
        int8: the accuracy of its int8 file, None where there is none.
        averaged: the accuracy with test-time augmentation, None where it was not measured.
    """

    accuracy: float
    run: Path
    recipe: str = ""
    variant: str = ""
    parameters: int = 0
    macs: int | None = None
    int8: float | None = None
    averaged: float | None = None

    @property
    def shown(self) -> str:
        """The accuracy as tables show it.

        >>> BestRun(0.9334, Path(), averaged=0.9426).shown
        '93.34%, 94.26% with TTA'
        """
        averaged = "" if self.averaged is None else f", {self.averaged:.2%} with TTA"
        return f"{self.accuracy:.2%}{averaged}"


def best_runs(*folders: Path, dataset: str = "cifar10") -> dict[str, list[BestRun]]:
    """Return the best runs of each model among the runs in `folders`, the default network's first.

    A run counts if it trained a network of kcnn on the whole data set. Networks that differ in more
    than dropout and initial weights are variants, each with a best run of its own. A run that
    diverged does not count; one that cannot be read is logged and left out.

    Args:
        *folders: hold a folder for each run, as `saved_models` does; they need not exist.
        dataset: only runs on this data set count.
    """
    known = facts.read()
    best: dict[str, dict[str, BestRun]] = {}
    for file in [file for each in folders for file in sorted(each.glob("*/report.json"))]:
        try:
            report = receipts.load(file)
            recipe = from_json(RunDir(file.parent).recipe.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            logger.warning("%s is left out: %s", file.parent, error)
            continue
        fact, run = known.get(report.model), _best_run(report, recipe, file.parent)
        if fact is None or not _counts(recipe, report, dataset):
            continue
        if not run.variant and not _is_that_of(fact, report):
            continue
        of_model = best.setdefault(report.model, {})
        if run.accuracy >= of_model.get(run.variant, run).accuracy:
            of_model[run.variant] = run
    return {name: [runs[key] for key in sorted(runs)] for name, runs in best.items()}


def _best_run(report: receipts.Report, recipe: Recipe, folder: Path) -> BestRun:
    whole = report.receipts[0]
    scores = {each.name: each.accuracy for each in report.receipts}
    return BestRun(
        accuracy=whole.accuracy,
        run=folder,
        recipe=report.recipe,
        variant=", ".join(
            f"{name}={value}"
            for name, value in sorted(recipe.model.options.items())
            if name not in _OF_TRAINING
        ),
        parameters=whole.parameters or report.parameters,
        macs=whole.macs,
        int8=scores.get("int8"),
        averaged=next((scores[name] for name in scores if name.startswith("float, TTA")), None),
    )


def _is_that_of(fact: facts.Facts, report: receipts.Report) -> bool:
    """Whether the run's network has the size of the builder's."""
    whole = report.receipts[0].parameters
    if whole is None:  # reports of the first version count trainable parameters only
        return report.parameters == fact.trainable_parameters
    return whole == fact.parameters  # some may have been frozen, as speed_net's whitening is


def _counts(recipe: Recipe, report: receipts.Report, dataset: str) -> bool:
    """Whether a run trained its network on the whole data set."""
    data = recipe.data
    whole = data.name == dataset and not (data.limit or data.classes or data.per_class)
    trained = not (recipe.transfer or recipe.trained)
    return whole and trained and report.training.get("stop_reason") != "diverged"
