"""The best accuracy of each model among the runs in some folders."""

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
    """The run in which a model reached its best accuracy.

    Attributes:
        accuracy: of its float model on the whole test set, 0 to 1.
        run: the run's folder.
    """

    accuracy: float
    run: Path


def best_runs(*folders: Path, dataset: str = "cifar10") -> dict[str, BestRun]:
    """Return the run of each model with the best float accuracy among the runs in `folders`.

    A run counts if its network is the one that the builder makes by default, apart from dropout and
    initial weights, and if it was trained on the whole data set. A run that cannot be read is
    logged and left out.

    Args:
        *folders: hold a folder for each run, as `saved_models` does; they need not exist.
        dataset: only runs on this data set count.
    """
    known = facts.read()
    best: dict[str, BestRun] = {}
    for file in [file for each in folders for file in sorted(each.glob("*/report.json"))]:
        try:
            report = receipts.load(file)
            recipe = from_json(RunDir(file.parent).recipe.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            logger.warning("%s is left out: %s", file.parent, error)
            continue
        fact = known.get(report.model)
        if fact is None or not _is_that_of(fact, report):
            continue
        run = BestRun(report.receipts[0].accuracy, file.parent)
        previous = best.get(report.model, run)
        if _is_default(recipe, dataset) and run.accuracy >= previous.accuracy:
            best[report.model] = run
    return best


def _is_that_of(fact: facts.Facts, report: receipts.Report) -> bool:
    """Whether the run's network has the size of the builder's."""
    whole = report.receipts[0].parameters
    if whole is None:  # reports of the first version count trainable parameters only
        return report.parameters == fact.trainable_parameters
    return whole == fact.parameters  # some may have been frozen, as speed_net's whitening is


def _is_default(recipe: Recipe, dataset: str) -> bool:
    whole = recipe.data.name == dataset and recipe.data.limit is None and not recipe.transfer
    return whole and recipe.model.options.keys() <= _OF_TRAINING
