"""The command `kcnn export`: a file for a phone, or all that a mobile developer needs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcnn.cli import show
from kcnn.cli.shared import DataDir, DataName, labels_of, load_data, model_file, start_tensorflow
from kcnn.cli.show import console

if TYPE_CHECKING:
    import keras

    from kcnn.data import Data

_GOLDEN = 10


def export(  # noqa: PLR0913 - one argument a flag
    path: Annotated[Path, typer.Argument(help="A .keras file, or a run's folder.")],
    out: Annotated[
        Path | None, typer.Option(help="The .tflite file; MODEL_int8.tflite here if not given.")
    ] = None,
    quantization: Annotated[
        str, typer.Option(help="How numbers are stored: int8, dynamic, float16 or none.")
    ] = "int8",
    io: Annotated[
        str | None, typer.Option(help="Ends of an int8 file: int8, uint8 or float32.")
    ] = None,
    softmax: Annotated[
        bool, typer.Option("--softmax", help="Give probabilities in place of logits.")
    ] = False,
    samples: Annotated[int, typer.Option(help="How many training images calibrate int8.")] = 300,
    bundle: Annotated[
        Path | None,
        typer.Option(help="A new folder: int8 model, golden vectors, app code, web page."),
    ] = None,
    data: DataName = None,
    data_dir: DataDir = None,
) -> None:
    """Turn a .keras model into a .tflite file for phones, or a whole bundle around one."""
    if bundle and (out or softmax or io or quantization != "int8"):
        raise ValueError("A bundle is of an int8 model with logits: --bundle goes with --samples.")
    start_tensorflow()
    from kcnn import models
    from kcnn.export import QUANTIZATIONS, export_tflite

    if bundle:
        from kcnn.bundle import check_free

        check_free(bundle)
    file = model_file(path)
    model = models.load(file)
    out = out or Path(f"{file.stem}_{quantization}.tflite")
    if out.exists() and not bundle:
        raise ValueError(f"{str(out)!r} exists: name another file with --out.")
    labels, calibration = labels_of(file), None
    if quantization not in QUANTIZATIONS or QUANTIZATIONS[quantization].calibrated:
        loaded = load_data(file, data, data_dir, model.input_shape[1:3])
        labels, calibration = list(loaded.class_names), loaded.calibration
    if bundle:
        _write_bundle(model, bundle, loaded, samples)
        return
    result = export_tflite(
        model,
        out,
        quantization=quantization,
        io=io,
        softmax=softmax,
        calibration=calibration,
        samples=samples,
        labels=labels or None,
    )
    console.print(f"{result.path}: {result.bytes:,} bytes, {result.gzip_bytes:,} gzipped")
    show.ends([result.input], [result.output])


def _write_bundle(model: "keras.Model", folder: Path, data: "Data", samples: int) -> None:
    import tempfile

    from kcnn.bundle import Score, write_bundle
    from kcnn.evaluation import evaluate
    from kcnn.export import export_tflite

    options = {"calibration": data.calibration, "samples": samples}
    with tempfile.TemporaryDirectory() as temporary:  # before anything is written
        file = export_tflite(model, Path(temporary) / "model.tflite", **options).path
        score = evaluate(file, data.test, expected_count=data.num_test)
    golden = next(data.test.unbatch().batch(_GOLDEN).as_numpy_iterator())[0]
    manifest = write_bundle(
        model,
        folder,
        golden=golden,
        labels=data.class_names,
        score=Score(score.accuracy, score.count),
        **options,
    )
    console.print(
        f"{folder}: {len(manifest.sha256) + 1} files, int8 accuracy {score.accuracy:.2%} on "
        f"{score.count:,} test images. `kcnn verify {folder}` holds it to its golden answers."
    )
    show.ends([manifest.input], [manifest.output])
