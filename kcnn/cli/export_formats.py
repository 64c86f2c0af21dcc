"""`kcnn export --format`: a model as SavedModel or ONNX."""

from collections.abc import Mapping
from pathlib import Path

from kcnn.cli.console import console
from kcnn.cli.export_for_chips import refuse_unused
from kcnn.cli.raw_pixels import of_raw_pixels
from kcnn.cli.shared import check_new, model_file, start_tensorflow


def write(  # noqa: PLR0913 - the options of the command
    path: Path,
    out: Path | None,
    format: str,
    *,
    softmax: bool,
    input_range: str | None,
    unused: Mapping[str, object],
) -> None:
    """Write a model in another format, and print how close its answers are.

    Args:
        path: a `.keras` file, a run's folder or a published model.
        out: the file or folder to write; None for the model's name here.
        format: a name in `kcnn.export.FORMATS`.
        softmax: return probabilities.
        input_range: the numbers that the model was trained on; None if nobody said.
        unused: options that would have no effect, and whether they were given.

    Raises:
        ValueError: such an option was given, or as `kcnn.export.export_format`.
        RuntimeError: as `kcnn.export.export_format`.
    """
    refuse_unused("--format writes the model in float32", unused)
    start_tensorflow()
    from kcnn import models
    from kcnn.errors import unknown
    from kcnn.export import FORMATS, export_format
    from kcnn.model_places import MANIFEST

    if format not in FORMATS:
        raise unknown("--format", format, FORMATS)
    file = model_file(path)
    stem = file.parent.name if file.name == MANIFEST else file.stem
    out = out or Path(f"{stem}_saved_model" if format == "saved_model" else f"{stem}.onnx")
    check_new(out, "--out")
    model, said = of_raw_pixels(models.load(file), file, input_range)
    made = export_format(model, out, format, softmax=softmax, input_range=said)
    console.print(
        f"{made.path}: {made.bytes:,} bytes. Takes raw pixels 0-255 as float32; its answers differ "
        f"from the Keras model's by at most {made.largest_difference:.1e}."
    )
