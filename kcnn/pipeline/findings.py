"""The mistakes of a run's variants: `analysis.json`, its pictures and the page of the run."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kcnn.evaluation import Evaluation
from kcnn.pipeline.samples import images_at, spread_images
from kcnn.pipeline.variants import Variant
from kcnn.report.analysis import Analysis, Case, Disagreement, HeatmapDrift, Interval
from kcnn.report.calibration_plot import plot_reliability
from kcnn.report.galleries import Gallery, plot_galleries
from kcnn.report.mistakes import analyze
from kcnn.report.run_page import write_page
from kcnn.run_dir import RunDir

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData
    from kcnn.explain import Heatmaps
    from kcnn.intervals import Estimate

_DIAGRAMS = 3  # side by side; more do not fit a page
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
    sizes: dict[Variant, tuple[int, ...]] = {}
    if explained:
        images, _ = spread_images(data, _DRIFT_IMAGES)
        sizes = _map_sizes(images[:1], variants)
        analysis = dataclasses.replace(analysis, drifts=_drifts(images, variants, sizes))
    analysis.save(run_dir.analysis)
    calibrations = {each.name: each.calibration for each in analysis.variants}
    shown = list(dict.fromkeys([variants[0].name, *(second.name for _, second in pairs)]))
    plot_reliability(
        {name: calibrations[name] for name in shown[:_DIAGRAMS]}, run_dir.picture("reliability")
    )
    _draw_mistakes(run_dir, data, variants[0], analysis, explained=bool(explained))
    for disagreement in analysis.disagreements[:1]:
        _draw_disagreements(run_dir, data, disagreement)
    if explained:
        second = [second for _, second in pairs[:1] if second in sizes]
        _draw_heatmaps(run_dir, data, [variants[0], *second], explained)
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


def _draw_mistakes(
    run_dir: RunDir,
    data: "Data | JaxData",
    variant: Variant,
    analysis: Analysis,
    *,
    explained: bool,
) -> None:
    if not analysis.mistakes:
        return
    images = _images(data, analysis.mistakes)
    heatmaps, tiles, names = None, (images,), ()
    if explained:
        predicted = [case.answers[0].predicted for case in analysis.mistakes]
        indices = np.array([data.class_names.index(name) for name in predicted])
        heatmaps = _heatmaps(variant, images, indices)
        tiles, names = (images, heatmaps.overlay(images)), ("image", "evidence")
    gallery = Gallery(
        f"The most confident mistakes of the {variant.name} model",
        tiles,
        [f"{case.truth}\npredicted {_percent(case)}" for case in analysis.mistakes],
        names,
    )
    plot_galleries([gallery], run_dir.picture("mistakes"), heat=heatmaps is not None)


def _draw_disagreements(
    run_dir: RunDir, data: "Data | JaxData", disagreement: Disagreement
) -> None:
    first, second = disagreement.first, disagreement.second
    galleries = [
        Gallery(
            f"{right} correct, {wrong} wrong",
            (_images(data, cases),),
            [
                f"{case.truth}\n{first}: {_percent(case, 0)}\n{second}: {_percent(case, 1)}"
                for case in cases
            ],
        )
        for cases, right, wrong in (
            (disagreement.lost, first, second),
            (disagreement.gained, second, first),
        )
        if cases
    ]
    if galleries:
        plot_galleries(galleries, run_dir.picture("disagreements"))


def _draw_heatmaps(
    run_dir: RunDir, data: "Data | JaxData", variants: Sequence[Variant], count: int
) -> None:
    images, labels = spread_images(data, count)
    first = _heatmaps(variants[0], images)
    others = [_heatmaps(variant, images, first.class_index) for variant in variants[1:]]
    gallery = Gallery(
        f"Evidence for the predicted class, at layer {first.layer}",
        (images, *(each.overlay(images) for each in (first, *others))),
        [
            f"{data.class_names[truth]}\npredicted {data.class_names[predicted]}"
            for truth, predicted in zip(labels, first.class_index, strict=True)
        ],
        ("image", *(variant.name for variant in variants)),
    )
    plot_galleries([gallery], run_dir.picture("heatmaps"), heat=True)


def _heatmaps(
    variant: Variant, images: np.ndarray, class_index: np.ndarray | None = None
) -> "Heatmaps":
    """Return the variant's heat maps of the classes, or of those that it predicts.

    Raises:
        ValueError: the variant has no heat maps.
    """
    from kcnn import explain  # heat maps need TensorFlow, the other findings do not

    if variant.file.suffix == ".tflite":
        return explain.tflite_cam(variant.file, images, class_index=class_index)
    return explain.grad_cam(variant.model, images, class_index=class_index)


def _map_sizes(image: np.ndarray, variants: Sequence[Variant]) -> dict[Variant, tuple[int, ...]]:
    """Return the shape of an image's heat map, for all variants that have heat maps."""
    sizes = {}
    for variant in variants:
        if variant.tta == "none":
            try:
                sizes[variant] = _heatmaps(variant, image).raw.shape
            except ValueError as reason:  # not every network ends in global average pooling
                if variant is variants[0]:
                    raise
                logger.info("no heat maps of %s: %s", variant.name, reason)
    return sizes


def _drifts(
    images: np.ndarray, variants: Sequence[Variant], sizes: dict[Variant, tuple[int, ...]]
) -> tuple[HeatmapDrift, ...]:
    """Return how far the heat maps of later variants differ from those of the first."""
    from kcnn import explain  # as in _heatmaps

    others = [variant for variant in variants[1:] if sizes.get(variant) == sizes[variants[0]]]
    if not others or len(images) < 2:
        return ()
    sources = [
        variant.file if variant.file.suffix == ".tflite" else variant.model
        for variant in (variants[0], *others)
    ]
    return tuple(
        HeatmapDrift(
            variants[0].name,
            variant.name,
            len(images),
            _interval(moved.correlation),
            _interval(moved.overlap),
            _interval(moved.shift),
            _interval(moved.changed),
            left_out=moved.left_out,
        )
        for variant, moved in zip(others, explain.drift(*sources, images=images), strict=True)
    )


def _images(data: "Data | JaxData", cases: Sequence[Case]) -> np.ndarray:
    return images_at(data, [case.index for case in cases])[0]


def _interval(estimate: "Estimate | None") -> Interval | None:
    if estimate is None or estimate.count < 2:
        return None
    return Interval(estimate.mean, estimate.low, estimate.high)


def _percent(case: Case, answer: int = 0) -> str:
    given = case.answers[answer]
    return f"{given.predicted} ({given.probability:.1%})"
