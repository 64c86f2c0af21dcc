"""The control of a run with a teacher: the same training without it."""

import dataclasses
import logging

from kcnn import models
from kcnn.arithmetic import model_macs
from kcnn.errors import one_line
from kcnn.evaluation import NotFinite
from kcnn.models.files import in_float32
from kcnn.pipeline.journal import Journal
from kcnn.pipeline.prepare import prepare
from kcnn.pipeline.receipts import receipts, score
from kcnn.pipeline.setup import load
from kcnn.pipeline.training_setup import callbacks_for
from kcnn.pipeline.variants import Variant
from kcnn.recipe import Recipe
from kcnn.report.receipts import CONTROL, Report
from kcnn.report.run_page import write_page
from kcnn.training import TrainingDiverged
from kcnn.training.devices import Devices

logger = logging.getLogger("kcnn")


def check_control(recipe: Recipe, *, control: bool) -> None:
    """Refuse a control of a run that has no teacher."""
    if control and not recipe.distill:
        raise ValueError("A control is a run without teacher: this recipe has no distill section.")


def add_control(
    report: Report,
    recipe: Recipe,
    data_dir: str | None,
    journal: Journal,
    devices: Devices | None = None,
) -> Report:
    """Train the same model on the same batches from the same start, without the teacher.

    Returns:
        The report with one more receipt, which is in the run's folder already. If the control
        fails, as where it diverges, the report as it was, with the reason in the returned one.
    """
    if report.receipts[-1].name == CONTROL:  # an earlier process of the run added it
        return report
    try:
        return _train_control(report, recipe, data_dir, journal, devices)
    except (TrainingDiverged, NotFinite) as error:
        logger.warning("the control failed: %s", one_line(error))
        others = [str(report.training["failed"])] if "failed" in report.training else []
        failed = "; ".join([*others, f"control: {one_line(error)}"])
        return dataclasses.replace(report, training=report.training | {"failed": failed})


def _train_control(
    report: Report,
    recipe: Recipe,
    data_dir: str | None,
    journal: Journal,
    devices: Devices | None,
) -> Report:
    run_dir = journal.run_dir
    logger.info("control: the same training without the teacher")
    section = dataclasses.replace(recipe.train, tensorboard=False, loggers=())
    alone = dataclasses.replace(recipe, train=section, distill=None)
    prepared = prepare(alone, load(alone, data_dir), devices)
    trained = prepared.training(
        callbacks=callbacks_for(section, prepared.data, None),
        resume=run_dir.state / "control",
        checkpoint_steps=section.checkpoint_steps,
    )
    trained.check()
    model = in_float32(trained.model)
    file, macs = models.save(model, run_dir.control), model_macs(model)
    variant = Variant(CONTROL, file, model, macs)
    last = receipts([variant], [score(variant, prepared.data)])
    report = dataclasses.replace(report, receipts=(*report.receipts, *last))
    report.save(run_dir.report)
    journal.record("report", [run_dir.report, file])
    write_page(run_dir.path)
    return report
