"""The stage `quantize`: int8 files for phones and microcontrollers."""

import dataclasses

from kcnn.pipeline.stages.stage import RunContext, Stage, logger
from kcnn.pipeline.variants import Variant
from kcnn.recipe import Quantize


def make(section: Quantize, context: RunContext) -> list[Variant]:
    """Export the trained model and what earlier stages made of it."""
    return [
        export_integers(variant, _name(variant, context), section, context)
        for variant in context.variants
        if variant.int8
    ]


def export_integers(
    variant: Variant, name: str, section: Quantize, context: RunContext, kind: str = "int8"
) -> Variant:
    """Write a variant as an integer file beside its own; return that as a variant called `name`.

    Args:
        variant: The variant.
        name: What reports call the file.
        section: How it is calibrated.
        context: The run.
        kind: "int8" or "int4".
    """
    from kcnn import export

    logger.info("writing the %s file: %s", kind, name)
    result = export.export_tflite(
        variant.model,
        variant.file.with_name(f"{variant.file.stem}_{kind}.tflite"),
        quantization=kind,
        calibration=context.data.calibration,
        samples=section.samples,
        labels=context.data.class_names,
        input_range="0..255",  # what kcnn trains on
    )
    return dataclasses.replace(variant, name=name, file=result.path, int8=False)


def _name(variant: Variant, context: RunContext) -> str:
    return "int8" if variant is context.trained else f"{variant.name}, int8"


INT8 = Stage(
    name="quantize",
    section=Quantize,
    make=make,
    files=("model_int8.tflite",),
    shorten=lambda section: Quantize(samples=20),
    not_on_jax="the converter to LiteRT is part of TensorFlow",
)
