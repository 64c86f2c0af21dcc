"""The accuracy that finished runs have measured, model by model."""

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
class Measured:
    """What one run scored, with its float model on the whole test set."""

    accuracy: float
    run: Path
    """The run's folder."""


def accuracies(folder: Path, *, dataset: str = "cifar10") -> dict[str, Measured]:
    """Return the best float accuracy of each model among the runs in `folder`.

    A run counts if its network is the one that the builder makes by default, up to dropout and
    initial weights, and if it was trained on all of the data. One that cannot be read is logged
    and left out.

    Args:
        folder: holds a folder for each run, as `saved_models` does; it need not exist.
        dataset: the runs on these data count.
    """
    known, best = facts.read(), {}
    for file in sorted(folder.glob("*/report.json")):
        try:
            report = receipts.load(file)
            recipe = from_json(RunDir(file.parent).recipe.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            logger.warning("%s is left out: %s", file.parent, error)
            continue
        fact = known.get(report.model)
        if fact is None or not _is_that_of(fact, report):
            continue
        measured = Measured(report.receipts[0].accuracy, file.parent)
        previous = best.get(report.model, measured)
        if _as_named(recipe, dataset) and measured.accuracy >= previous.accuracy:
            best[report.model] = measured
    return best


def _is_that_of(fact: facts.Facts, report: receipts.Report) -> bool:
    """Whether the run's network is the builder's, by its size."""
    whole = report.receipts[0].parameters
    if whole is None:  # a report of the first days, which counts the trainable ones only
        return report.parameters == fact.trainable_parameters
    return whole == fact.parameters  # some may have been frozen, as speed_net's whitening is


def _as_named(recipe: Recipe, dataset: str) -> bool:
    whole = recipe.data.name == dataset and recipe.data.limit is None and not recipe.transfer
    return whole and recipe.model.options.keys() <= _OF_TRAINING
