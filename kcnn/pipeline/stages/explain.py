"""The stage `explain`: where the trained model sees the classes of some test images."""

from kcnn.pipeline.stages.stage import RunContext, Stage, logger
from kcnn.pipeline.variants import Variant
from kcnn.recipe import Explain
from kcnn.run_dir import RunDir

PICTURE = "grad_cam"
"""It is there after the stage if the model has a spatial map to explain."""


def make(section: Explain, context: RunContext) -> list[Variant]:
    """Draw heat maps of some test images; the findings of a run draw more of them, and compare."""
    from kcnn import explain
    from kcnn.pipeline.samples import spread_images

    images, labels = spread_images(context.data, section.images)
    try:
        heatmaps = explain.grad_cam(context.trained.model, images)
    except ValueError as reason:  # a perceptron has no maps: no reason to lose the run
        logger.warning("no heat maps: %s", reason)
        return []
    names = context.data.class_names
    titles = [
        f"{names[truth]}, predicted {names[predicted]}"
        for truth, predicted in zip(labels, heatmaps.class_index, strict=True)
    ]
    heatmaps.save(context.run_dir.picture(PICTURE), images, titles)
    return []


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
