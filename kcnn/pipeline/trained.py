"""The trained model of a run: trained, trained further from a kept state, or read back."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import keras

from kcnn import models
from kcnn.callbacks.loggers import track
from kcnn.models.files import in_float32
from kcnn.pipeline.journal import Journal
from kcnn.pipeline.prepare import Prepared
from kcnn.pipeline.several_processes import Helpers
from kcnn.pipeline.training_setup import callbacks_for
from kcnn.recipe import Recipe
from kcnn.run_digests import unusable
from kcnn.run_dir import RunDir
from kcnn.training import Interrupted, Rollback, TrainingDiverged, TrainResult

_TRAINING = "train"

logger = logging.getLogger("kcnn")


def train_once(
    prepared: Prepared,
    recipe: Recipe,
    journal: Journal,
    helpers: Helpers,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainResult:
    """Train and save the model in float32, from the state in the run's folder if there is one."""
    run_dir = journal.run_dir
    if (facts := journal.facts(_TRAINING)) is not None:
        helpers.end()  # they have nothing to do
        return _result(models.load(run_dir.model), facts, run_dir)
    journal.stop_reason = ""
    warn_of_lost_state(journal)
    helpers.begin(run_dir, recipe, prepared.data)
    try:
        with track(recipe.train.all_loggers, run_dir.path) as trackers:
            trained = prepared.training(
                callbacks=[
                    _StillThere(journal),
                    *callbacks_for(recipe.train, prepared.data, run_dir.path),
                    *trackers,
                    *callbacks,
                ],
                resume=run_dir.state,
                checkpoint_steps=recipe.train.checkpoint_steps,
            )
        trained.check()
    except (Interrupted, TrainingDiverged) as error:
        journal.note_stop("interrupted" if isinstance(error, Interrupted) else "diverged")
        helpers.end()  # which have ended for the same reason
        raise
    helpers.end()
    model, history = in_float32(trained.model), trained.history
    files = [models.save(model, run_dir.model), run_dir.history]
    facts = {
        "history": {name: [float(each) for each in history[name]] for name in history},
        "best_epoch": trained.best_epoch,
        "seconds": trained.seconds,
        "stop_reason": trained.stop_reason,
        "rollbacks": [asdict(each) for each in trained.rollbacks],
    }
    journal.record(_TRAINING, files, **facts)
    shutil.rmtree(run_dir.state, ignore_errors=True)
    if prepared.spread:  # what follows computes on one device
        model = models.load(run_dir.model)
    return _result(model, facts, run_dir)


def warn_of_lost_state(journal: Journal) -> None:
    """Say that a training that had begun starts from its first epoch."""
    run_dir = journal.run_dir
    left = [file.name for file in (run_dir.best, run_dir.history) if file.is_file()]
    if left and not any(run_dir.state.rglob("*.state")):
        logger.warning(
            "%s has no state of the training, though %s is there: it starts again from epoch 1",
            run_dir.state,
            " and ".join(left),
        )


def _result(model: keras.Model, facts: dict[str, Any], run_dir: RunDir) -> TrainResult:
    values: dict[str, Any] = dict(facts)
    try:
        values["rollbacks"] = tuple(Rollback(**each) for each in facts.get("rollbacks", ()))
        return TrainResult(model=model, **values)
    except TypeError as error:  # facts that this version does not know
        raise unusable(run_dir.journal) from error


class _StillThere(keras.callbacks.Callback):
    """Stops a training whose folder was removed, before the other callbacks write into it."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the end of every epoch."""
        self._journal.check_there()


def save_base(model: keras.Model, journal: Journal) -> keras.Model:
    """Save a trained model that the run starts from, in float32, and return it so."""
    file = journal.run_dir.model
    if journal.facts(_TRAINING) is not None:
        return models.load(file)
    model = in_float32(model)
    journal.record(_TRAINING, [models.save(model, file)])
    return model
