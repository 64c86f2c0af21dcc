"""The stage `explain`: where the trained model sees the classes of some test images."""

from typing import TYPE_CHECKING

from kcnn.pipeline.stages.stage import RunContext, Stage, logger
from kcnn.pipeline.variants import Variant
from kcnn.recipe import Explain
from kcnn.run_dir import RunDir

if TYPE_CHECKING:
    import keras

    from kcnn.data import Data, JaxData

PICTURE = "grad_cam"
"""It is there after the stage if the model has a spatial map to explain."""


def make(section: Explain, context: RunContext) -> list[Variant]:
    """Draw heat maps of some test images; the findings of a run draw more of them, and compare."""
    try:
        draw_grad_cam(context.run_dir, context.data, context.trained.model, section.images)
    except ValueError as reason:  # a perceptron has no maps: no reason to lose the run
        logger.warning("no heat maps: %s", reason)
    return []


def draw_grad_cam(
    run_dir: RunDir, data: "Data | JaxData", model: "keras.Model", count: int
) -> None:
    """Draw heat maps of `count` test images into a run's folder.

    Raises:
        ValueError: The model has no feature map to explain.
    """
    from kcnn.explain import grad_cam
    from kcnn.pipeline.samples import spread_images

    images, labels = spread_images(data, count)
    heatmaps = grad_cam(model, images)
    titles = [
        f"{data.class_names[truth]}, predicted {data.class_names[predicted]}"
        for truth, predicted in zip(labels, heatmaps.class_index, strict=True)
    ]
    heatmaps.save(run_dir.picture(PICTURE), images, titles)


EXPLAIN = Stage(
    name="explain",
    section=Explain,
    make=make,
    files=(f"{PICTURE}.png", "heatmaps.png"),
    shorten=lambda section: Explain(images=4),
    not_on_jax="heat maps take TensorFlow's gradients",
)


def explained_images(section: Explain | None, run_dir: RunDir) -> int:
    """Return how many images the stage explained: 0 without the section, or without a map."""
    return section.images if section and run_dir.picture(PICTURE).is_file() else 0
