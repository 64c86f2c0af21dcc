"""The command `kcnn predict`: the class of each photograph in files and folders."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kcnn.cli.console import console
from kcnn.cli.shared import check_new, model_file, start_tensorflow

if TYPE_CHECKING:
    from kcnn.prediction import FilePrediction


def predict(
    model: Annotated[
        Path,
        typer.Argument(help="A run, a bundle, a .keras or .tflite file, or a published model."),
    ],
    images: Annotated[list[Path], typer.Argument(help="Image files, and folders of them.")],
    out: Annotated[
        Path | None, typer.Option("--csv", help="A new table of all files; else lines of text.")
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="With --csv, also a column for each class.")
    ] = False,
) -> None:
    """Classify photographs.

    Folders are searched with all folders in them. A file that cannot be read is named at the end,
    and does not stop the others.
    """
    check_new(out, "--csv")
    if probabilities and out is None:
        raise ValueError("--probabilities adds columns to the table of --csv FILE: name one.")
    from kcnn.prediction import find_files, predict_files

    files = find_files(images)  # A wrong name shows before TensorFlow starts.
    file = _bundled(model) or model_file(model)
    start_tensorflow()
    problems, count = [], 0
    with _writer(out, all_classes=probabilities) as write:
        for each in predict_files(file, files):
            count += 1
            write(each)
            problems += [each.problem] * bool(each.problem)
        if len(problems) == count:
            raise ValueError(problems[0])
    for problem in problems:
        console.print(problem, markup=False)
    missing = f", {len(problems):,} cannot be read" if problems else ""
    where = f"{out}: " if out else ""
    console.print(f"{where}{count - len(problems):,} images classified{missing}", markup=False)


def _bundled(path: Path) -> Path | None:
    """Return the int8 model of a bundle, whose files are checked; None if it is no bundle."""
    if not (path / "bundle.json").is_file():
        return None
    from kcnn import bundle

    return path / bundle.read(path).model


@contextmanager
def _writer(out: Path | None, *, all_classes: bool) -> Iterator[Any]:
    """Yield a function that writes a prediction to the table, or prints it."""
    if out is None:
        yield _print
        return
    from kcnn.run_dir import atomic

    with (
        atomic(out) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = csv.writer(file)
        titled = False

        def write(each: "FilePrediction") -> None:
            nonlocal titled
            if each.probabilities is None:
                return
            if not titled:
                titled = True
                table.writerow(
                    ["file", "class", "probability", *(each.class_names if all_classes else ())]
                )
            shares = [f"{share:.6f}" for share in each.probabilities] if all_classes else []
            table.writerow([each.path, each.class_name, f"{each.probability:.6f}", *shares])

        yield write


def _print(each: "FilePrediction") -> None:
    if each.probabilities is not None:
        text = f"{each.path}  {each.class_name}  {each.probability:.2%}"
        console.print(text, markup=False, soft_wrap=True)
