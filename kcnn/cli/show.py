"""Prints what commands have found, as tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from kcnn.cli.console import TextConsole, console

if TYPE_CHECKING:
    from kcnn.evaluation import Evaluation
    from kcnn.export import LayerErrors
    from kcnn.litert import Requirements, TensorSummary, TFLiteSummary
    from kcnn.report.comparison_report import ComparisonReport
    from kcnn.report.receipts import Report
    from kcnn.report.study_report import StudyReport

_WIDTH = 140
_BEST = 10  # trials of a study


def print_wide(table: Table) -> None:
    """Print a table of many columns; on a narrow terminal, rows break instead of cells."""
    TextConsole(width=max(console.width, _WIDTH)).print(table)


def receipts(report: "Report") -> None:
    """Print the receipts of a run."""
    from kcnn.report.receipts_table import caption, header, row

    table = Table(title=caption(report), title_justify="left", title_style="", box=None)
    titles = header(report)
    for index, name in enumerate(titles):
        table.add_column(name, justify="right" if index else "left")
    for receipt in report.receipts:
        table.add_row(*row(receipt, titles))
    print_wide(table)


def comparison(report: "ComparisonReport") -> None:
    """Print the table of a comparison."""
    from kcnn.report.comparison_table import caption, header, row

    table = Table(box=None)
    for index, name in enumerate(header(report)):
        table.add_column(name, justify="right" if index else "left")
    for variant in report.comparison.variants:
        table.add_row(*row(report, variant))
    console.print(f"\n{report.comparison.question}\n")
    print_wide(table)
    console.print(f"\n{caption(report)}")


def study(report: "StudyReport") -> None:
    """Print the best trials of a study, or all of its front."""
    from kcnn.report.study_page import summary
    from kcnn.report.study_report import caption, header, row

    shown = report.front() if report.int8 else report.ranked()[:_BEST]
    table = Table(title=caption(report), title_justify="left", title_style="", box=None)
    for name in header(report):
        table.add_column(name, justify="right")
    for trial in shown:
        table.add_row(*row(report, trial))
    if shown:
        print_wide(table)
    console.print(f"\n{summary(report)}")


def evaluation(score: "Evaluation", class_names: Sequence[str]) -> None:
    """Print a score, and that of each class; "-" for a class without images."""
    tta = "" if score.tta == "none" else f", test-time augmentation: {score.tta}"
    console.print(
        f"accuracy {score.accuracy:.2%}  balanced {score.balanced_accuracy:.2%}  "
        f"top-5 {score.top5_accuracy:.2%}  loss {score.loss:.4f}  on {score.count:,} images{tta}"
    )
    table = Table("class", box=None)
    for title in ("accuracy", "F1", "images"):
        table.add_column(title, justify="right")
    counts = score.confusion.sum(axis=1)
    for name, accuracy, f1, count in zip(
        class_names, score.per_class, score.f1, counts, strict=True
    ):
        shares = (f"{accuracy:.2%}", f"{f1:.2%}") if count else ("-", "-")
        table.add_row(name, *shares, f"{count:,}")
    console.print(table)


def tflite(summary: "TFLiteSummary", needs: "Requirements", floats: Sequence[str]) -> None:
    """Print the contents of a `.tflite` file, its layers in floats, and which runtimes run it."""
    console.print(f"{summary.path}: {summary.bytes:,} bytes, quantization {summary.quantization}")
    inputs_and_outputs(summary.inputs, summary.outputs)
    operators = ", ".join(f"{count} {name}" for name, count in summary.operators.items())
    console.print(f"operators  {operators}")
    float_layers(floats)
    console.print(f"labels     {', '.join(summary.labels) or 'none'}")
    for line in needs.lines():
        console.print(f"runs on    {line}" if not line.startswith("not ") else f"           {line}")


def float_layers(names: Sequence[str]) -> None:
    """Print the layers of an integer file that compute in floats, if there are any."""
    if names:
        console.print(f"in float32 {', '.join(names)}")


def inputs_and_outputs(
    inputs: Sequence["TensorSummary"], outputs: Sequence["TensorSummary"]
) -> None:
    """Print the input and output tensors of a `.tflite` file."""
    for end, tensors in (("input", inputs), ("output", outputs)):
        for tensor in tensors:
            shape = "x".join(map(str, tensor.shape))
            scale = (
                f"scale {tensor.scale:g}, zero point {tensor.zero_point}" if tensor.scale else ""
            )
            console.print(f"{end:<11}{tensor.name} {tensor.dtype} {shape} {scale}".rstrip())


def layer_errors(errors: "LayerErrors") -> None:
    """Print how far each layer of a quantized file is from the float model, and the worst."""
    table = Table("layer", "operator", box=None)
    for title in ("SNR, dB", "its own, dB", "relative error"):
        table.add_column(title, justify="right")
    for each in errors.layers:
        numbers = (f"{each.snr:.1f}", f"{each.own_snr:.1f}", f"{each.relative_error:.2%}")
        table.add_row(each.name, each.kind, *numbers)
    print_wide(table)
    worst = errors.worst()
    console.print(
        f"on {errors.images:,} images; of their own, these layers add the largest errors: "
        f"{', '.join(each.name for each in worst)}. `kcnn export MODEL --exclude {worst[0].name}` "
        "keeps a layer in float32."
    )
    if errors.unmatched:
        console.print(f"not in the float model: {', '.join(errors.unmatched)}")
