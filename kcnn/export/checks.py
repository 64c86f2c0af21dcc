"""Check a model on its way to a phone: before, during and after conversion."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from kcnn.errors import one_line
from kcnn.export.modes import Target
from kcnn.litert.layer_names import named_operators
from kcnn.litert.loaded import LoadedModel, takes_pixels
from kcnn.litert.tflite_file import Kernels, TFLiteSummary
from kcnn.models.fits import check_graph
from kcnn.pixel_scaling import NAMED
from kcnn.tensorflow_only import check_tensorflow

logger = logging.getLogger("kcnn")

# By LiteRT's kernels, how many images are run; the reference kernels are slow.
_RUN: Mapping[Kernels, int] = {"xnnpack": 3, "reference": 1}

# By `io`: dtype, scale and zero point of an input that stores pixels exactly.
_INPUTS = {
    "int8": ("int8", 1.0, -128),
    "uint8": ("uint8", 1.0, 0),
    "int16": ("int16", 1 / 128, 0),
    "float32": ("float32", None, None),
}


_RANK_OF_IMAGES = 4
_RANKS = {3: "series (None, steps, channels)", 4: "images (None, height, width, channels)"}
_RANKS[5] = "voxels (None, depth, height, width, channels)"


def check_model(model: keras.Model, *, any_rank: bool = False) -> tuple[tuple[int, ...], int]:
    """Check that a model can be exported; return the shape of an image and the number of classes.

    Args:
        model: the model.
        any_rank: whether it may also take series or voxels.

    Raises:
        ValueError: the model cannot be exported; the message says why.
    """
    check_tensorflow("Models are exported")
    if not isinstance(model, keras.Model):
        raise ValueError(f"model must be a keras.Model. Received: {type(model).__name__}.")
    check_graph(model, "An export")
    inputs, outputs = (
        [tuple(tensor.shape) for tensor in getattr(model, side, None) or []]
        for side in ("inputs", "outputs")
    )
    ranks = [len(shape) for shape in inputs], [len(shape) for shape in outputs]
    known = _RANKS if any_rank else {_RANK_OF_IMAGES: _RANKS[_RANK_OF_IMAGES]}
    fits = ranks in [([rank], [2]) for rank in known]
    if not fits or None in (*inputs[0][1:], outputs[0][1]):
        advice = " Build it with a size, keras.Input((height, width, channels)), and set_weights."
        raise ValueError(
            "model must be a built Sequential or Functional model from "
            f"{' or '.join(known.values())} to logits (None, classes). "
            f"Received: {inputs} to {outputs}.{advice * fits}"
        )
    for layer in model.layers:
        mixed = layer.dtype_policy.name.startswith("mixed_")  # its weights are float32
        if layer.compute_dtype != "float32" and not mixed:
            raise ValueError(
                f"Only a float32 model can be exported. Received: layer {layer.name!r} computes in "
                f"{layer.compute_dtype}; build the model in float32 and set_weights from this one."
            )
        if not all(np.isfinite(weights).all() for weights in layer.get_weights()):
            raise ValueError(f"The weights of layer {layer.name!r} are not finite numbers.")
    return inputs[0][1:], outputs[0][1]


def check_exported(data: bytes, summary: TFLiteSummary, target: Target) -> None:
    """Check that a converted model is what `export_tflite` promises.

    Raises:
        RuntimeError: the file is something else; the message names the operators or the tensor.
    """
    custom = [name for name in summary.operators if name.startswith("CUSTOM")]
    if custom:
        raise RuntimeError(f"The converted model needs operators phones lack: {', '.join(custom)}.")
    if not target.mode.calibrated:
        return
    _check_integers(data, target)
    image = summary.inputs[0]
    if len(image.shape) != _RANK_OF_IMAGES:
        return  # the input of series and voxels has the range of their numbers
    if (image.dtype, image.scale, image.zero_point) != _INPUTS[target.io]:
        raise RuntimeError(f"The converted model's input does not take raw pixels, but {image}.")


def _check_integers(data: bytes, target: Target) -> None:
    """Check that all layers but the excluded ones compute in integers."""
    integers = {"int8", "int32", f"int{target.mode.weight_bits}"}
    integers |= {"int16", "int64"} if target.mode.activation_bits == 16 else set()
    wrong: dict[str, frozenset[str]] = {}
    for each in named_operators(data):
        if each.dtypes - integers and {*each.layers}.isdisjoint(target.exclude):
            wrong[each.kind] = each.dtypes - integers
    if wrong:
        raise RuntimeError(
            f"The converted model is not all integers: {', '.join(sorted(wrong))} would compute in "
            f"{', '.join(sorted(set().union(*wrong.values())))}. Replace the layers they come "
            'from, or export with quantization="none".'
        )


def check_runs(data: bytes, path: Path, images: np.ndarray) -> None:
    """Check that LiteRT loads a converted model and runs it, by XNNPACK and by reference kernels.

    Args:
        data: the model.
        path: the file that it is for.
        images: raw pixels as floats, series or voxels; a few are classified.

    The reference kernels lack some operators of int8 files, such as TILE: a warning names them.

    Raises:
        RuntimeError: one of the two cannot, or the model answers NaN; the message says why.
    """
    for kernels, count in _RUN.items():
        try:
            model = LoadedModel(data, path, kernels=kernels, scaling=NAMED["0..255"])
            shown = images[:count]
            if takes_pixels(model.summary.inputs[0]):
                shown = np.round(shown).astype(np.uint8)
            (answers,) = model.run(shown)
        except ValueError as error:
            reason = one_line(error.__cause__ or error)
            missing = re.search(r"Didn't find op for builtin opcode '(\w+)'", reason)
            if missing and kernels == "reference":  # XNNPACK's have run
                logger.warning(
                    "LiteRT's reference kernels lack %s, so that the file was run on its fast "
                    "kernels only; other runtimes may lack it, too: see kcnn inspect.",
                    missing[1],
                )
                continue
            if missing:
                raise RuntimeError(
                    f"The converted model needs {missing[1]} in a form that LiteRT lacks: replace "
                    'the layer that it comes from, or export with quantization="none".'
                ) from error
            raise RuntimeError(
                f"The converted model does not run on LiteRT's {kernels} kernels: {reason}"
            ) from error
        if not np.isfinite(answers).all():
            raise RuntimeError(
                f"The converted model answers numbers that are not finite ({kernels} kernels): is "
                "the model trained, and were its pixels scaled?"
            )
