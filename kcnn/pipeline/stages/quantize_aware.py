"""The stage `quantize_aware`: the model trains on while it computes as its integer file will."""

from typing import TYPE_CHECKING, Any

from kcnn.pipeline.stages.int8 import INT8, export_integers
from kcnn.pipeline.stages.stage import RunContext, Stage, logger, variant_files
from kcnn.pipeline.variants import Variant
from kcnn.recipe import QuantizeAware

if TYPE_CHECKING:
    import keras

    from kcnn.data import Data


def make(section: QuantizeAware, context: RunContext) -> list[Variant]:
    """Return the file of a model trained for integers, and that of the same training in float32."""
    from kcnn import compress

    trained, quantize, kind = context.trained, context.recipe.quantize, _kind(section)
    logger.info("training for %s, and the same in float32", kind)
    result = compress.quantize_aware(
        trained.model, context.data, **_options(section, trained.model)
    )
    if quantize is None or result.control is None:
        raise RuntimeError("quantize_aware needs the section quantize, and trains a control.")
    variants = []
    for name, suffix, model in (
        (f"trained for {kind}", "quantize_aware", result.model),
        (f"control: trained on in floats, {kind}", "trained_on", result.control),
    ):
        saved = context.save(name, model, suffix, macs=trained.macs)
        variants.append(export_integers(saved, name, quantize, context, kind))
    return variants


def check(section: QuantizeAware, model: "keras.Model", data: "Data") -> None:
    """Refuse a model that cannot be trained for int8 by the section's engine."""
    from kcnn import compress

    compress.check_quantize_aware(model, data, **_options(section, model))


def _kind(section: QuantizeAware) -> str:
    return f"int{section.weight_bits}"


def _options(section: QuantizeAware, teacher: "keras.Model") -> dict[str, Any]:
    return {
        "epochs": section.epochs,
        "learning_rate": section.learning_rate,
        "engine": section.engine,
        "weight_bits": section.weight_bits,
        "teacher": teacher if section.distill else None,
    }


QUANTIZE_AWARE = Stage(
    name="quantize_aware",
    section=QuantizeAware,
    make=make,
    check=check,
    files=(
        *variant_files("quantize_aware"),
        *variant_files("trained_on"),
        "model_quantize_aware_int4.tflite",
        "model_trained_on_int4.tflite",
    ),
    needs=(INT8.name,),
    not_on_jax="the model is trained for a file that TensorFlow's converter writes",
)
