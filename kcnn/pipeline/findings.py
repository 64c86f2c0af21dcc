"""The mistakes of a run's variants: `analysis.json`, its pictures and the page of the run."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kcnn.evaluation import Evaluation
from kcnn.pipeline.analysis_pictures import draw_analysis, heatmaps_of
from kcnn.pipeline.samples import spread_images
from kcnn.pipeline.variants import Variant
from kcnn.report.analysis import HeatmapDrift, Interval
from kcnn.report.mistakes import analyze
from kcnn.report.run_page import write_page
from kcnn.run_dir import RunDir

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData
    from kcnn.intervals import Estimate

_DRIFT_IMAGES = 200  # from all over the test set; they take some seconds a variant

logger = logging.getLogger("kcnn")


def write_findings(
    run_dir: RunDir,
    data: "Data | JaxData",
    variants: Sequence[Variant],
    evaluations: Sequence[Evaluation],
    *,
    explained: int = 0,
) -> None:
    """Write the mistakes of a run's variants, and the page of the run.

    Args:
        run_dir: the run's folder, with its `report.json`; the files go there.
        data: the data set that the variants were scored on.
        variants: the variants; the mistakes that are drawn are those of the first.
        evaluations: the score of each variant on all test images, in the same order.
        explained: how many test images get heat maps. 0 for a model without a feature map; its
            mistakes are then drawn without heat maps too.

    Raises:
        ValueError: the folder holds no `report.json`.
    """
    logger.info("writing %s", run_dir.page)
    pairs = _pairs(variants)
    analysis = analyze(
        {variant.name: each.logits for variant, each in zip(variants, evaluations, strict=True)},
        evaluations[0].labels,
        data.class_names,
        compared=[(first.name, second.name) for first, second in pairs],
    )
    if explained:
        analysis = dataclasses.replace(analysis, drifts=_drifts(data, variants))
    analysis.save(run_dir.analysis)
    draw_analysis(run_dir, data, variants, analysis, explained=explained)
    write_page(run_dir.path)


def _pairs(variants: Sequence[Variant]) -> list[tuple[Variant, Variant]]:
    """Return each exported variant after the variant that it was exported from."""
    return [
        (source, variant)
        for variant in variants
        if variant.file.suffix == ".tflite"
        for source in variants
        if source.model is variant.model
        and source.file.suffix != ".tflite"
        and source.tta == "none"
    ]


def _drifts(data: "Data | JaxData", variants: Sequence[Variant]) -> tuple[HeatmapDrift, ...]:
    """Return how far the heat maps of later variants differ from those of the first."""
    from kcnn.explain import drift  # heat maps need TensorFlow, the other findings do not

    images, _ = spread_images(data, _DRIFT_IMAGES)
    first, *others = _of_one_size(images[:1], variants)
    if not others or len(images) < 2:
        return ()
    sources = [
        variant.file if variant.file.suffix == ".tflite" else variant.model
        for variant in (first, *others)
    ]
    return tuple(
        HeatmapDrift(
            first.name,
            variant.name,
            len(images),
            _interval(moved.correlation),
            _interval(moved.overlap),
            _interval(moved.shift),
            _interval(moved.changed),
            left_out=moved.left_out,
        )
        for variant, moved in zip(others, drift(*sources, images=images), strict=True)
    )


def _of_one_size(image: np.ndarray, variants: Sequence[Variant]) -> list[Variant]:
    """Return the first variant, and those whose heat maps have the size of the first's."""
    first = heatmaps_of(variants[0], image).raw.shape
    found = [variants[0]]
    for variant in variants[1:]:
        if variant.tta != "none":  # its heat maps are those of the variant without
            continue
        try:
            if heatmaps_of(variant, image).raw.shape == first:
                found.append(variant)
        except ValueError as reason:  # not every network ends in global average pooling
            logger.info("no heat maps of %s: %s", variant.name, reason)
    return found


def _interval(estimate: "Estimate | None") -> Interval | None:
    if estimate is None or estimate.count < 2:
        return None
    return Interval(estimate.mean, estimate.low, estimate.high)
