"""The command `kcnn export`: a file for a phone, or a whole bundle for its developer."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kcnn.cli import export_for_chips, export_formats, show
from kcnn.cli.agreement import print_agreement
from kcnn.cli.console import console
from kcnn.cli.raw_pixels import of_raw_pixels
from kcnn.cli.shared import (
    DataDir,
    DataName,
    InputRangeOption,
    SkipDamaged,
    check_new,
    labels_of,
    load_data,
    model_file,
    recipe_of,
    start_tensorflow,
)

if TYPE_CHECKING:
    import keras

    from kcnn.bundle import About
    from kcnn.data import Data
    from kcnn.export import ExportResult
    from kcnn.recipe import Recipe


def export(  # noqa: PLR0913 - one argument a flag
    path: Annotated[
        Path, typer.Argument(help="A .keras file, a run's folder, or a published model.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="The .tflite file; MODEL_int8.tflite here if not given.")
    ] = None,
    c: Annotated[
        bool,
        typer.Option("--c", help="Write plain C99 (.c and .h); also takes an int8 .tflite file."),
    ] = False,
    compress: Annotated[
        bool,
        typer.Option(
            "--compress",
            help="Write a smaller file, for TFLite Micro only; needs clustered weights.",
        ),
    ] = False,
    format: Annotated[
        str | None,
        typer.Option(help="Write float32 for other runtimes: saved_model or onnx."),
    ] = None,
    quantization: Annotated[
        str,
        typer.Option(help="How numbers are stored: int8, int4, int16x8, dynamic, float16 or none."),
    ] = "int8",
    io: Annotated[
        str | None,
        typer.Option(help="Input and output of an integer file: int8, uint8, int16 or float32."),
    ] = None,
    softmax: Annotated[
        bool, typer.Option("--softmax", help="Return probabilities in place of logits.")
    ] = False,
    feature_map: Annotated[
        bool, typer.Option("--feature-map", help="Also return the last feature map, for heat maps.")
    ] = False,
    input_range: InputRangeOption = None,
    dense_per_channel: Annotated[
        bool,
        typer.Option(
            "--dense-per-channel",
            help="A scale for each output of a dense layer; older runtimes answer wrongly.",
        ),
    ] = False,
    exclude: Annotated[
        str | None,
        typer.Option(
            metavar="LAYER[,LAYER]",
            help="Layers that compute in float32; kcnn inspect --against finds the worst.",
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(help="Training images that calibrate int8; as in the run's recipe, or 300."),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help="A new folder: int8 model, golden vectors, app code, web page."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Of a bundle: the probability from which a class is predicted."),
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(help="Of a bundle: what its model card states, such as Apache-2.0."),
    ] = None,
    data: DataName = None,
    data_dir: DataDir = None,
    skip_damaged: SkipDamaged = False,
) -> None:
    """Write a .tflite file for phones, or a whole bundle.

    A bundle has the int8 model, golden vectors and pictures, and projects that build.
    """
    changed = out or softmax or io == "float32" or feature_map or dense_per_channel
    changed = bool(changed or exclude or quantization != "int8")
    _check_bundle(bundle, {"--threshold": threshold, "--license": license}, changed=changed)
    for_chip = export_for_chips.writer(c=c, compress=compress)
    given = {"--bundle": bundle, "--feature-map": feature_map, "--io float32": io == "float32"}
    given |= {"--quantization": quantization != "int8", "--exclude": exclude}
    others = {"--softmax": softmax, "--io": io, "--input-range": input_range, "--samples": samples}
    others |= {"--dense-per-channel": dense_per_channel, "--data": data}
    if format:
        unused = given | others | {"--c": c, "--compress": compress}
        unused |= {"--softmax": None, "--input-range": None}
        export_formats.write(
            path, out, format, softmax=softmax, input_range=input_range, unused=unused
        )
        return
    if for_chip:
        written = path.suffix == ".tflite"
        out = for_chip.check(path, out, unused=given | others if written else given)
        if written:
            for_chip.write(path, out)
            return
    start_tensorflow()
    from kcnn import models
    from kcnn.export import QUANTIZATIONS, export_tflite
    from kcnn.export.checks import check_model
    from kcnn.model_places import MANIFEST

    _check_quantization(quantization, dense_per_channel=dense_per_channel)
    file = model_file(path)
    stem = file.parent.name if file.name == MANIFEST else file.stem
    out = out or Path(f"{stem}_{quantization}.tflite")
    if bundle:
        from kcnn.bundle import check_free

        check_free(bundle)
    else:
        check_new(out, "--out")
    model = models.load(file)
    image_shape, _ = check_model(model)
    model, said = of_raw_pixels(model, file, input_range)
    labels, calibration, loaded = labels_of(file), None, None
    calibrated = QUANTIZATIONS[quantization].calibrated
    if samples is None:
        samples = _samples(recipe_of(file) if calibrated and not data else None)
    if calibrated or data:
        loaded = load_data(file, data, data_dir, image_shape, skip_damaged=skip_damaged)
        labels, calibration = list(loaded.class_names), loaded.calibration if calibrated else None
    if bundle and loaded:
        settings = {"samples": samples, "io": io or "int8", "input_range": said}
        settings |= {"threshold": threshold, "about": _about(file, license, data)}
        _write_bundle(model, bundle, loaded, settings)
        return
    with for_chip.instead_of(out) if for_chip else nullcontext(out) as target:
        result = export_tflite(
            model,
            target,
            quantization=quantization,
            io=io,
            softmax=softmax,
            feature_map=feature_map,
            calibration=calibration,
            samples=samples,
            labels=labels or None,
            input_range=said,
            dense_per_channel=dense_per_channel,
            exclude=[name.strip() for name in exclude.split(",")] if exclude else (),
        )
        _print_result(result, model, loaded, kept=for_chip is None)


def _check_quantization(quantization: str, *, dense_per_channel: bool) -> None:
    from kcnn.errors import unknown
    from kcnn.export import QUANTIZATIONS

    if quantization not in QUANTIZATIONS:
        raise unknown("--quantization", quantization, QUANTIZATIONS)
    if not QUANTIZATIONS[quantization].integer_kernels:
        reason = f"--quantization {quantization} has no integer kernels"
        export_for_chips.refuse_unused(reason, {"--dense-per-channel": dense_per_channel})


def _check_bundle(bundle: Path | None, parts: Mapping[str, Any], *, changed: bool) -> None:
    if bundle and changed:
        raise ValueError(
            "A bundle holds an int8 model with logits: of the options that change the file, "
            "--bundle takes --samples, --input-range and --io uint8 only."
        )
    for name, given in parts.items():
        if given is not None and not bundle:
            raise ValueError(f"{name} is a part of a bundle: add --bundle DIR, or leave it out.")


def _print_result(
    result: "ExportResult", model: "keras.Model", data: "Data | None", *, kept: bool
) -> None:
    """Print what a file is; `kept` is false for one that something else is made of."""
    if kept:
        console.print(f"{result.path}: {result.bytes:,} bytes, {result.gzip_bytes:,} gzipped")
    if data:
        print_agreement(model, result.path, data)
    show.inputs_and_outputs([result.input], [result.output])
    show.float_layers(result.float_layers)


def _samples(run: "Recipe | None") -> int:
    """Return how many images calibrated the run's own int8 model, which its report is about."""
    from kcnn.recipe import Quantize

    return ((run and run.quantize) or Quantize()).samples


def _about(file: Path, license: str | None, data: str | None) -> "About":
    """Return what the model card says of a file's license and data."""
    from kcnn.bundle import About

    run = recipe_of(file)
    own = run.data.name if run else None
    return About(license=license, data=data or own, trained_on=own)


def _write_bundle(
    model: "keras.Model", folder: Path, data: "Data", settings: Mapping[str, Any]
) -> None:
    from kcnn.bundle import write_bundle

    manifest = write_bundle(model, folder, data=data, **settings)
    score = ""
    if manifest.test_accuracy is not None:
        score = (
            f", int8 accuracy {manifest.test_accuracy:.2%} on {manifest.test_images:,} test images"
        )
    console.print(
        f"{folder}: {len(manifest.sha256) + 1} files{score}. `kcnn verify {folder}` compares it "
        "with its golden answers.",
    )
    if manifest.threshold is not None:
        console.print(f"a class is predicted from a probability of {manifest.threshold:g} on")
    if score:
        print_agreement(model, folder / manifest.model, data)
    show.inputs_and_outputs([manifest.input], [manifest.output])
