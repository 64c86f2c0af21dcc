"""Score the float model and the int8 file of a finished run on corrupted images."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from kcnn.evaluation import robustness
from kcnn.model_places import find_model, trained_in
from kcnn.pipeline.samples import spread_images
from kcnn.report.robustness import FILE, RobustnessReport, VariantRobustness
from kcnn.report.run_files import read_run
from kcnn.report.run_page import write_page
from kcnn.run_digests import check_unchanged
from kcnn.run_dir import RunDir

if TYPE_CHECKING:
    from kcnn.data import Data, HeldOut

_INT8 = "int8"

logger = logging.getLogger("kcnn")


def score_robustness(
    path: Path, data: "Data | HeldOut", dataset: str, *, count: int | None = None, seed: int = 0
) -> RobustnessReport:
    """Score a model on corrupted test images, and of a run also its int8 file.

    The folder of a finished run gets `robustness.json`, and its page a table.

    Args:
        path: The folder of a run, or what `kcnn.model_places.find_model` finds.
        data: The test images.
        dataset: What the report calls them.
        count: So many images from all over the test set; None for all.
        seed: Of the noise.

    Raises:
        ValueError: There is no such model, or the images are neither gray nor RGB.
    """
    images, labels = spread_images(data, data.num_test if count is None else count)
    variants = []
    for name, file in variants_of(path):
        check_unchanged(file)
        logger.info("%s: %s on %d images, corrupted in 18 ways", file, name, len(images))
        found = robustness(file, (images, labels), seed=seed)
        variants.append(VariantRobustness(name, found.clean, _triples(found.corrupted)))
    report = RobustnessReport(dataset, len(images), seed, tuple(variants))
    if _is_run(path):
        report.save(path / FILE)
        write_page(path)
    return report


def variants_of(path: Path) -> list[tuple[str, Path]]:
    """Return names and files of what is scored: a run's model and its int8 file, or one model."""
    if not _is_run(path):
        file = find_model(path)
        return [(file.stem if path.is_file() else str(path), file)]
    run = read_run(path)
    whole = trained_in(path)
    found = [(run.report.receipts[0].name, whole)] if whole else []
    int8 = [each for each in run.report.receipts if each.name == _INT8]
    found += [(each.name, path / each.file) for each in int8 if (path / each.file).is_file()]
    return found or [(path.name, find_model(path))]


def _is_run(path: Path) -> bool:
    """Return whether a path is the folder of a finished run."""
    return RunDir(path).report.is_file()


def _triples(
    corrupted: dict[str, tuple[float, ...]],
) -> dict[str, tuple[float, float, float]]:
    return {name: (row[0], row[1], row[2]) for name, row in corrupted.items()}
