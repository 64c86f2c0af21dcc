"""The pictures of a run's analysis: calibration, mistakes, disagreements and heat maps."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from kcnn.pipeline.samples import images_at, spread_images
from kcnn.pipeline.variants import Variant
from kcnn.report.analysis import Analysis, Case
from kcnn.report.calibration_plot import plot_reliability
from kcnn.report.galleries import Gallery, plot_galleries
from kcnn.run_dir import RunDir

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData
    from kcnn.explain import Heatmaps

_DIAGRAMS = 3  # side by side; more do not fit a page


def draw_analysis(
    run_dir: RunDir,
    data: "Data | JaxData",
    variants: Sequence[Variant],
    analysis: Analysis,
    *,
    explained: int = 0,
) -> None:
    """Draw calibration, mistakes, disagreements and heat maps into a run's folder.

    Args:
        run_dir: the run's folder.
        data: the data set whose test images were analyzed.
        variants: those to explain: the first variant of the analysis, and the one that the first
            disagreement compares it with.
        analysis: what to draw.
        explained: how many test images get heat maps. 0 for a model without a feature map; its
            mistakes are then drawn without heat maps too.
    """
    draw_reliability(run_dir, analysis)
    _draw_mistakes(run_dir, data, variants[0], analysis, explained=bool(explained))
    draw_disagreements(run_dir, data, analysis)
    if explained:
        compared = [each.second for each in analysis.disagreements[:1]]
        second = [each for each in variants if each.name in compared]
        _draw_heatmaps(run_dir, data, [variants[0], *second], explained)


def draw_reliability(run_dir: RunDir, analysis: Analysis) -> None:
    """Draw the calibration of the first variant, and of those that were exported."""
    calibrations = {each.name: each.calibration for each in analysis.variants}
    exported = [each.second for each in analysis.disagreements]
    shown = list(dict.fromkeys([analysis.variants[0].name, *exported]))[:_DIAGRAMS]
    plot_reliability({name: calibrations[name] for name in shown}, run_dir.picture("reliability"))


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
        heatmaps = heatmaps_of(variant, images, indices)
        tiles, names = (images, heatmaps.overlay(images)), ("image", "evidence")
    gallery = Gallery(
        f"The most confident mistakes of the {variant.name} model",
        tiles,
        [f"{case.truth}\npredicted {_percent(case)}" for case in analysis.mistakes],
        names,
    )
    plot_galleries([gallery], run_dir.picture("mistakes"), heat=heatmaps is not None)


def draw_disagreements(run_dir: RunDir, data: "Data | JaxData", analysis: Analysis) -> None:
    """Draw images that only one of the first two variants compared predicts correctly."""
    galleries = [
        Gallery(
            f"{right} correct, {wrong} wrong",
            (_images(data, cases),),
            [
                f"{case.truth}\n{each.first}: {_percent(case, 0)}\n"
                f"{each.second}: {_percent(case, 1)}"
                for case in cases
            ],
        )
        for each in analysis.disagreements[:1]
        for cases, right, wrong in (
            (each.lost, each.first, each.second),
            (each.gained, each.second, each.first),
        )
        if cases
    ]
    if galleries:
        plot_galleries(galleries, run_dir.picture("disagreements"))


def _draw_heatmaps(
    run_dir: RunDir, data: "Data | JaxData", variants: Sequence[Variant], count: int
) -> None:
    images, labels = spread_images(data, count)
    first = heatmaps_of(variants[0], images)
    maps = {variants[0].name: first}
    for variant in variants[1:]:
        with suppress(ValueError):  # not every network ends in global average pooling
            maps[variant.name] = heatmaps_of(variant, images, first.class_index)
    gallery = Gallery(
        f"Evidence for the predicted class, at layer {first.layer}",
        (images, *(each.overlay(images) for each in maps.values())),
        [
            f"{data.class_names[truth]}\npredicted {data.class_names[predicted]}"
            for truth, predicted in zip(labels, first.class_index, strict=True)
        ],
        ("image", *maps),
    )
    plot_galleries([gallery], run_dir.picture("heatmaps"), heat=True)


def heatmaps_of(
    variant: Variant, images: np.ndarray, class_index: np.ndarray | None = None
) -> "Heatmaps":
    """Return the variant's heat maps of the classes, or of those that it predicts.

    Raises:
        ValueError: the variant has no heat maps.
    """
    from kcnn.explain import grad_cam, tflite_cam  # they need TensorFlow

    if variant.file.suffix == ".tflite":
        return tflite_cam(variant.file, images, class_index=class_index)
    return grad_cam(variant.model, images, class_index=class_index)


def _images(data: "Data | JaxData", cases: Sequence[Case]) -> np.ndarray:
    return images_at(data, [case.index for case in cases])[0]


def _percent(case: Case, answer: int = 0) -> str:
    given = case.answers[answer]
    return f"{given.predicted} ({given.probability:.1%})"
