"""The stage `quantize_aware`: the model trains on while it computes as its int8 file will."""

from typing import TYPE_CHECKING, Any

from kcnn.pipeline.stages.int8 import INT8, export_int8
from kcnn.pipeline.stages.stage import RunContext, Stage, logger, variant_files
from kcnn.pipeline.variants import Variant
from kcnn.recipe import QuantizeAware

if TYPE_CHECKING:
    import keras

    from kcnn.data import Data


def make(section: QuantizeAware, context: RunContext) -> list[Variant]:
    """Return the int8 file of a model trained for it, and that of the same training in float32."""
    from kcnn import compress

    logger.info("training for int8, and the same in float32")
    trained, quantize = context.trained, context.recipe.quantize
    result = compress.quantize_aware(trained.model, context.data, **_options(section))
    if quantize is None or result.control is None:
        raise RuntimeError("quantize_aware needs the section quantize, and trains a control.")
    variants = []
    for name, suffix, model in (
        ("trained for int8", "quantize_aware", result.model),
        ("control: trained on in floats, int8", "trained_on", result.control),
    ):
        saved = context.save(name, model, suffix, macs=trained.macs)
        variants.append(export_int8(saved, name, quantize, context))
    return variants


def check(section: QuantizeAware, model: "keras.Model", data: "Data") -> None:
    """Refuse a model that cannot be trained for int8 by the section's engine."""
    from kcnn import compress

    compress.check_quantize_aware(model, data, **_options(section))


def _options(section: QuantizeAware) -> dict[str, Any]:
    return {
        "epochs": section.epochs,
        "learning_rate": section.learning_rate,
        "engine": section.engine,
    }


QUANTIZE_AWARE = Stage(
    name="quantize_aware",
    section=QuantizeAware,
    make=make,
    check=check,
    files=(*variant_files("quantize_aware"), *variant_files("trained_on")),
    needs=(INT8.name,),
    not_on_jax="the model is trained for a file that TensorFlow's converter writes",
)
