"""Write a Keras model as a `.tflite` file, and check the result."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kcnn.errors import unknown
from kcnn.export.calibration import calibration_images, noise
from kcnn.export.checks import check_exported, check_model, check_runs
from kcnn.export.converter import convert
from kcnn.export.exact_rewrites import rewrite_exactly
from kcnn.export.exclude import check_exclude
from kcnn.export.fold_pixels import fold_pixels
from kcnn.export.modes import QUANTIZATIONS, Quantization, Target
from kcnn.export.probabilities import (
    named_output,
    returns_probabilities,
    undecided,
    with_probabilities,
)
from kcnn.export.result import ExportResult, describe
from kcnn.export.strip_fake_quant import is_quantize_aware, strip_fake_quant
from kcnn.litert.feature_map import add_feature_map
from kcnn.litert.labels import append_labels, check_labels
from kcnn.litert.metadata import description_of, with_metadata
from kcnn.litert.tflite_file import summarize_bytes
from kcnn.litert.trial import trust
from kcnn.models.files import in_float32
from kcnn.models.fold_normalization import fold_normalization
from kcnn.models.raw_pixels import check_trained_on_raw, take_raw_pixels
from kcnn.models.relu_first import relu_first
from kcnn.pixel_scaling import InputRange
from kcnn.run_dir import atomic

_AXES_OF_IMAGES = 3
_SHOWN = 32  # images that show on what numbers the model was trained


def export_tflite(  # noqa: PLR0913 - what an app's developer decides; the defaults are for a phone
    model: keras.Model,
    path: str | os.PathLike,
    *,
    quantization: str = "int8",
    io: str | None = None,
    calibration: tf.data.Dataset | np.ndarray | None = None,
    samples: int = 300,
    labels: Sequence[str] | None = None,
    softmax: bool = False,
    feature_map: bool = False,
    input_range: InputRange | None = None,
    dense_per_channel: bool = False,
    exclude: Sequence[str] = (),
) -> ExportResult:
    """Write a model as a `.tflite` file for phones and microcontrollers.

    Use it for one file; `kcnn.bundle.write_bundle` writes everything around it too. The
    normalization of the pixels is folded into the first layer, batch norms into convolutions. The
    signature is `serving_default`: its input is `image`, its output `logits` or `probabilities`.
    The values of `quantization` are:

    * `"int8"`: the file stores every number as an integer. It has a quarter of the size, is two to
      four times as fast, and is the only kind for microcontrollers. Ranges are measured on
      `calibration` images.
    * `"int4"`: as `"int8"`, but most kernels are stored in 4 bits. The file has little more than
      half of the size. Train the model for it, see `weight_bits` of `kcnn.quantize_aware`: else it
      costs many points of accuracy.
    * `"int16x8"`: activations are stored as int16, kernels as int8, for models whose activations
      lose too much as int8. LiteRT has slow kernels for it only.
    * `"dynamic"`: weights are stored as int8, activations are computed in float32. Needs no images.
    * `"float16"`: weights are stored as float16, for GPUs. The file has half of the size; on a CPU
      it is as fast as float32.
    * `"none"`: float32; the file computes what the model computes.

    There is no mode for sparse weights: an int8 file made with `EXPERIMENTAL_SPARSITY` does not
    load in LiteRT 2.3. The zeros of a pruned model do make a compressed download smaller.

    Scheme: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference" (2018), https://arxiv.org/abs/1712.05877.

    Args:
        model: a built Sequential or Functional model from raw pixels 0-255
            `(batch, height, width, channels)` to logits `(batch, classes)`. It is not changed; one
            in mixed precision is exported in float32. A model of series `(batch, steps, channels)`
            is exported too, and one of voxels in floats, where LiteRT has its operators; the range
            of their numbers, and so the scale of an integer input, is that of `calibration`.
        path: the `.tflite` file to write, whole or not at all.
        quantization: one of the above.
        io: dtype of the input and the output of an integer file. `"int8"`, the default: the app
            feeds exactly `pixel - 128`, as the input has scale 1.0 and zero point -128 for any
            calibration images. `"uint8"`: raw bytes, for LiteRT.js and cameras. `"float32"`: raw
            pixels as floats, and real logits. The other kinds of files always have float32.
        calibration: for int8, training images without augmentation: `data.calibration`, or a
            uint8 array. Never pass test images: the model would have seen them before it is
            scored. A model from quantization-aware training has learned its ranges and needs none.
        samples: how many of them are used, the first ones; 100 to 500 are useful.
        labels: the class names, which are packed into the file as `labels.txt`.
        softmax: return probabilities instead of logits: their softmax, or of a single logit the
            sigmoid. A model of your own that ends in a softmax or in sigmoids returns them in any
            case.
        feature_map: add a second output `feature_map`, the last feature map, and pack the weights
            that make heat maps from it; see `kcnn.litert.feature_map`. The logits stay the same,
            bit for bit. For models that end in global average pooling and one dense layer.
        input_range: the numbers that the model was trained on, if the program scaled the pixels
            before the model got them: "0..1", "-1..1", or "mean,std" of pixels 0-255, see
            `kcnn.pixel_scaling.read_scaling`. The scaling becomes a part of the first layer, and
            the file takes raw pixels. "0..255" says that the model was trained on raw pixels.
        dense_per_channel: give the integer kernel of each dense layer a scale for each output. One
            scale for all, the default, costs 0 to 0.3 points and runs everywhere; with more, older
            TensorFlow Lite Micro, NNAPI and others refuse the file or answer wrongly, see
            `kcnn.litert.requirements`.
        exclude: names of layers that compute in float32 in an int8 or int4 file, for those that
            lose most as integers; `kcnn.export.layer_errors` finds them. The file becomes larger,
            and is none for chips that know integers only.

    Returns:
        The size of the file, its input and output, and its operators.

    Raises:
        ValueError: the model, the path, the mode, the calibration images or the labels cannot make
            a correct file; the message says why.
        RuntimeError: the model has an operation that TensorFlow Lite lacks in this mode.

    >>> import tempfile
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3),
    ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> images = np.random.default_rng(0).integers(20, 200, (16, 8, 8, 3)).astype(np.uint8)
    >>> result = export_tflite(model, tempfile.mkdtemp() + "/model.tflite", calibration=images)
    >>> result.input.dtype, result.input.scale, result.input.zero_point, result.output.dtype
    ('int8', 1.0, -128, 'int8')
    """
    started = time.perf_counter()
    path = _tflite_path(path)
    if quantization not in QUANTIZATIONS:
        raise unknown("quantization", quantization, QUANTIZATIONS)
    mode, dtype = QUANTIZATIONS[quantization], _io(io, quantization)
    _check_dense_per_channel(quantization, dense_per_channel)
    image_shape, classes = check_model(model, any_rank=True)
    names = check_labels(labels, classes)
    excluded = check_exclude(exclude, mode, learned=is_quantize_aware(model))
    ready = _prepare(model, mode, calibration, samples, input_range, dense_per_channel)
    probabilities = returns_probabilities(ready.model, ready.images)
    if probabilities is None and softmax:
        raise undecided(model)
    whole = with_probabilities(ready.model) if softmax and not probabilities else ready.model
    output = "probabilities" if softmax or probabilities else "logits"
    last = whole.outputs[0]._keras_history.operation.name  # the file calls it as its output
    excluded = tuple(output if name == last else name for name in excluded)
    target = Target(mode, dtype, output, dense_per_channel, excluded)
    data = convert(whole, image_shape, target, ready.images, ready.floats)
    if output == "logits":
        data = named_output(data, model, undecided_numbers=probabilities is None)
    if feature_map:
        data = add_feature_map(data, path)
    data = append_labels(data, names)
    summary = summarize_bytes(data, path)
    about = description_of(summary)
    data = with_metadata(data, summary, name=model.name, description=about)
    check_exported(data, summary, target)
    check_runs(data, path, ready.shown)
    trust(data)
    with atomic(path) as temporary:
        temporary.write_bytes(data)
    counted = 0 if ready.images is None else len(ready.images)
    return describe(path, quantization, data, summary, counted, time.perf_counter() - started)


@dataclass(frozen=True)
class _Ready:
    """A model as the converter gets it.

    Attributes:
        model: of raw pixels.
        floats: of a model from quantization-aware training, the same without its ranges.
        images: on which ranges are measured; None if none are.
        shown: a few images, of noise where no others are needed.
    """

    model: keras.Model
    floats: keras.Model | None
    images: np.ndarray | None
    shown: np.ndarray


def _prepare(  # noqa: PLR0913 - the arguments of `export_tflite` that change the model
    model: keras.Model,
    mode: Quantization,
    calibration: tf.data.Dataset | np.ndarray | None,
    samples: int,
    input_range: InputRange | None,
    dense_per_channel: bool,
) -> _Ready:
    shape = model.inputs[0].shape[1:]
    if input_range is not None:
        model = take_raw_pixels(model, input_range)
    if is_quantize_aware(model) and mode.activation_bits == 16:  # the ranges were for 8 bits
        model = strip_fake_quant(model, keep_ranges=False, dense_per_channel=dense_per_channel)
    elif is_quantize_aware(model):
        shown = noise(shape)
        floats, ranged = (
            in_float32(
                strip_fake_quant(model, keep_ranges=keep, dense_per_channel=dense_per_channel)
            )
            for keep in (False, mode.calibrated)
        )
        folded = rewrite_exactly(floats, fold_normalization, shown)
        ranged = ranged if folded is floats else fold_normalization(ranged)
        return _Ready(ranged, folded, None, shown)
    images = calibration_images(calibration, shape, samples) if mode.calibrated else None
    shown = noise(shape) if images is None else images
    if input_range is None and len(shape) == _AXES_OF_IMAGES:
        check_trained_on_raw(model, shown[:_SHOWN])
    model = rewrite_exactly(in_float32(model), lambda given: relu_first(fold_pixels(given)), shown)
    return _Ready(model, None, images, shown)


def _tflite_path(path: str | os.PathLike) -> Path:
    path = Path(path)
    if path.suffix != ".tflite":
        raise ValueError(f"The file to write must end in .tflite. Received: {path}.")
    return path


def _check_dense_per_channel(quantization: str, given: bool) -> None:
    if given and not QUANTIZATIONS[quantization].integer_kernels:
        raise ValueError(
            f"dense_per_channel=True has no effect on a file with quantization={quantization!r}: "
            "leave it out."
        )


def _io(io: str | None, quantization: str) -> str:
    """Return the dtype of the file's input and output."""
    known = QUANTIZATIONS[quantization].io
    if io is None:
        return known[0]
    if known == ("float32",) and io not in known:
        raise ValueError(
            f'A file with quantization="{quantization}" has a float32 input and output. '
            f"Received: io={io!r}"
        )
    if io not in known:
        raise unknown(f"io of {quantization}", io, known)
    return io
