"""Score the models in `saved_models/` again, and draw the pictures and pages of their runs again.

    python docs/update_pages.py [--data-dir FOLDER] [RUN ...]

Use it when the words or the look of pages and pictures have changed. Each accuracy must be the one
in the run's `report.json`, which is never written; otherwise nothing of the run is written, and the
script ends with an error. All numbers on the page are those of the run; only heat maps are computed
again. Pictures that need a model which is not in the folder are left as they are. The `table.md` of
a comparison is written again from its `results.json`, the page of a study from its `study.json`.
"""

import argparse
import logging
from functools import partial
from pathlib import Path

from kcnn import models
from kcnn.data import Data
from kcnn.evaluation import Evaluation, evaluate
from kcnn.model_places import published_manifest
from kcnn.pipeline.analysis_pictures import draw_analysis, draw_disagreements, draw_reliability
from kcnn.pipeline.setup import load_for_tensorflow
from kcnn.pipeline.stages.explain import draw_grad_cam, explained_images
from kcnn.pipeline.variants import Variant
from kcnn.recipe import Recipe
from kcnn.report import comparison_report, comparison_table, study_report
from kcnn.report.confusion_plot import plot_confusion
from kcnn.report.learning_curves import plot_curves
from kcnn.report.receipts import Receipt
from kcnn.report.run_files import RunFiles, read_run
from kcnn.report.run_page import write_page
from kcnn.run_dir import atomic
from kcnn.tune.results import RESULTS, write_report

ROOT = Path(__file__).resolve().parent.parent
SAVED = ROOT / "saved_models"

logger = logging.getLogger("kcnn")


def update_run(folder: Path, data_dir: str | None = None) -> None:
    """Score a run's models again, and draw its pictures and its page again.

    Args:
        folder: the run's.
        data_dir: where prepared tfds data sets lie; None for tfds's own default.

    Raises:
        ValueError: the folder holds no run with a recipe and an analysis, or an accuracy is not the
            one in its report.
    """
    run = read_run(folder)
    if run.recipe is None or run.analysis is None or not run.analysis.variants:
        raise ValueError(f"{str(folder)!r} holds no run with a recipe.json and an analysis.json.")
    data = load_for_tensorflow(run.recipe, data_dir)
    evaluations = {
        receipt.name: _score_again(receipt, file, run.recipe, data)
        for receipt in run.report.receipts
        if (file := file_of(receipt, run))
    }
    run_dir, first = run.run_dir, run.report.receipts[0]
    if run.history:
        best = run.report.training.get("best_epoch")
        curves = run_dir.picture("curves")
        plot_curves(run.history, curves, best_epoch=best if isinstance(best, int) else None)
    run.analysis.save(run_dir.analysis)  # with the keys of this version
    if file := file_of(first, run):
        confusion = evaluations[first.name].confusion
        plot_confusion(confusion, data.class_names, run_dir.picture("confusion"))
        model = models.load(file)
        exported = [each.second for each in run.analysis.disagreements[:1]]
        variants = [Variant(first.name, file, model, first.macs or 0)] + [
            Variant(receipt.name, run_dir.path / receipt.file, model, receipt.macs or 0)
            for receipt in run.report.receipts
            if receipt.name in exported
        ]
        explained = explained_images(run.recipe.explain, run_dir)
        draw_analysis(run_dir, data, variants, run.analysis, explained=explained)
        if explained:
            draw_grad_cam(run_dir, data, model, explained)
    else:
        draw_reliability(run_dir, run.analysis)
        draw_disagreements(run_dir, data, run.analysis)
    write_page(folder)


def file_of(receipt: Receipt, run: RunFiles) -> Path | None:
    """Return a variant's file, or None if it is not there.

    The trained model that a run began with is in the folder of that model's run.
    """
    files = [run.run_dir.path / receipt.file]
    if receipt is run.report.receipts[0] and run.recipe and run.recipe.trained:
        manifest = published_manifest(run.recipe.trained)
        base = manifest.parent if manifest else ROOT / run.recipe.trained
        files.append(base / receipt.file)
    return next((file for file in files if file.is_file()), None)


def _score_again(receipt: Receipt, file: Path, recipe: Recipe, data: Data) -> Evaluation:
    tta = recipe.tta if receipt.name.endswith(f", TTA {recipe.tta}") else "none"
    evaluation = evaluate(file, data.test, expected_count=data.num_test, tta=tta)
    line = (
        f"{file.relative_to(file.parents[1])}, {receipt.name}: {evaluation.accuracy:.2%} on "
        f"{evaluation.count:,} test images, reported {receipt.accuracy:.2%}"
    )
    if (evaluation.accuracy, evaluation.count) != (receipt.accuracy, receipt.count):
        raise ValueError(f"{line}: the two must be equal.")
    logger.info(line)
    return evaluation


def update_comparison(folder: Path) -> None:
    """Write a comparison's `table.md` again."""
    report = comparison_report.load(folder / "results.json")
    with atomic(folder / "table.md") as temporary:
        temporary.write_text(comparison_table.document(report, "comparison.png"))


def update_study(folder: Path) -> None:
    """Write a study's page and draw its picture again."""
    write_report(study_report.load(folder / RESULTS), folder)


def main() -> None:
    """Update the runs, comparisons and studies that the command line names, or all of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="default: all")
    parser.add_argument("--data-dir", help="where prepared tfds data sets lie")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    updates = {
        "results.json": update_comparison,
        RESULTS: update_study,
        "analysis.json": partial(update_run, data_dir=arguments.data_dir),
    }
    chosen = {
        folder: next((updates[name] for name in updates if (folder / name).is_file()), None)
        for folder in arguments.runs or sorted(SAVED.iterdir())
    }
    for folder in arguments.runs:
        if chosen[folder] is None:
            parser.error(f"{str(folder)!r} holds no run, comparison or study")
    for folder, update in chosen.items():
        if update:
            update(folder)


if __name__ == "__main__":
    main()
