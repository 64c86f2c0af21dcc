"""The page of a run: `report.html`, made from the files in the run's folder alone."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from kcnn.intervals import wilson_interval
from kcnn.recipe import to_json
from kcnn.report import alt_texts
from kcnn.report.analysis import VariantAnalysis
from kcnn.report.embed import Picture, embed_figure, embed_file
from kcnn.report.learning_curves import NOTE, narrow_curves_figure
from kcnn.report.receipts import Receipt, Report
from kcnn.report.receipts_table import optional_columns
from kcnn.report.render import render
from kcnn.report.repeat_command import repeat_command
from kcnn.report.run_files import RunFiles, read_run
from kcnn.report.study_report import StudyReport
from kcnn.report.tradeoff_plot import points_of, tradeoff_figure, tradeoff_text
from kcnn.report.training_events import training_events
from kcnn.report.unfinished_page import linked_files, render_unfinished
from kcnn.run_digests import read_journal
from kcnn.run_dir import RunDir
from kcnn.text_files import write_text

_PICTURES = ("confusion", "reliability", "mistakes", "disagreements", "heatmaps", "grad_cam")
_FROM_ANALYSIS = ("reliability", "mistakes", "disagreements")


@dataclass(frozen=True)
class ReceiptRow:
    """One row of a page's table of receipts.

    Attributes:
        run: the name of the run, where the page has several.
        receipt: of one variant.
        low: the lower end of the accuracy's 95 % interval.
        high: the upper end.
        href: a link to the variant's file; None where the file is not in the run's folder.
    """

    run: str
    receipt: Receipt
    low: float
    high: float
    href: str | None = None


@dataclass(frozen=True)
class CalibrationRow:
    """One row of a page's table of calibrations.

    Attributes:
        variant: of the model.
        accuracy: on all test images.
    """

    variant: VariantAnalysis
    accuracy: float


def write_page(folder: Path) -> Path:
    """Write the folder's `report.html` and return its path.

    Sections whose files are missing, as in a run of an older version, are left out. The page of an
    unfinished run shows what there is so far.

    Raises:
        ValueError: the folder holds no run, or one of its files is damaged.
    """
    run_dir = RunDir(folder)
    journal = read_journal(run_dir)
    if journal and not run_dir.report.is_file():
        page = render_unfinished(run_dir, journal)
    else:
        page = render_run(read_run(folder))
    write_text(run_dir.page, page)
    return run_dir.page


def render_run(run: RunFiles) -> str:
    """Return the page of a run as HTML."""
    report, recipe = run.report, run.recipe
    pictures = {name: _picture(run, name) for name in _PICTURES}
    commit = report.git_commit or ""
    return render(
        "run.html.j2",
        report=report,
        summary=_summary(report),
        training=training_text(report),
        hardware=hardware_text(report),
        commit=commit.removesuffix("+"),
        changed=commit.endswith("+"),
        command=repeat_command(report, recipe) if recipe else None,
        recipe_text=to_json(recipe) if recipe else None,
        curves=_curves(run),
        curves_note=NOTE,
        events=training_events(run),
        receipts=receipt_rows(run),
        optional_columns=optional_columns(report.receipts),
        tradeoff=_tradeoff(report),
        pictures=pictures,
        analysis=run.analysis,
        robustness=run.robustness,
        mistakes_known=bool(pictures["confusion"] or run.analysis),
        calibrations=_calibrations(run),
        heatmaps=pictures["heatmaps"] or pictures["grad_cam"],
        files=linked_files(run.run_dir),
    )


def receipt_rows(run: RunFiles, name: str = "") -> list[ReceiptRow]:
    """Return the rows of a run's table of receipts; `name` is the run's on a page of several."""
    rows = []
    for receipt in run.report.receipts:
        file = Path(receipt.file).name
        href = quote(file) if (run.run_dir.path / file).is_file() else None
        interval = wilson_interval(receipt.accuracy, receipt.count)
        rows.append(ReceiptRow(name, receipt, *interval, href))
    return rows


def training_text(report: Report) -> str:
    """Return the length of the training in words, and its precision."""
    training = report.training
    if "taken_from" in training:
        return f"none: the run began with the trained model of {training['taken_from']}"
    epochs = training.get("epochs")
    text = f"{epochs} epoch{'' if epochs == 1 else 's'}" if epochs else "not known"
    seconds = training.get("seconds")
    if isinstance(seconds, int | float):
        text += f" in {_duration(seconds)}"
    if precision := training.get("precision"):
        text += f", {precision}"
    return text


def hardware_text(report: Report | StudyReport) -> str:
    """Return the machine in words."""
    hardware = report.hardware
    count = hardware.get("cores")
    cores = f"{count} core{'' if count == 1 else 's'}"
    parts = (hardware.get("processor"), cores, hardware.get("system"))
    return ", ".join(str(part) for part in parts if part)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _summary(report: Report) -> str:
    first = report.receipts[0]
    low, high = wilson_interval(first.accuracy, first.count)
    text = f"The {first.name} model predicts {first.accuracy:.2%} of the test images correctly "
    text += f"(95% interval {low:.2%} to {high:.2%})."
    phone = next((each for each in report.receipts if each.file.endswith(".tflite")), None)
    if not phone or phone is first:
        return text
    text += f" The {phone.name} model takes {phone.bytes / 1000:,.0f} kB instead of "
    text += f"{first.bytes / 1000:,.0f} kB"
    if phone.ms_per_image is not None and first.ms_per_image is not None:
        text += f" and {phone.ms_per_image:.2f} ms per image instead of {first.ms_per_image:.2f} ms"
    points = f"{100 * (phone.accuracy - first.accuracy):+.2f}".replace("-", "−")
    return f"{text}; its accuracy is {phone.accuracy:.2%} ({points} points)."


def _curves(run: RunFiles) -> Picture | None:
    if not run.history:
        return None
    figure = narrow_curves_figure(run.history, training_events(run))
    return embed_figure(figure, alt_texts.curves_text(run.history))


def _tradeoff(report: Report) -> Picture | None:
    if len(points_of([report])) < 2:
        return None
    return embed_figure(tradeoff_figure([report]), tradeoff_text([report]))


def _picture(run: RunFiles, name: str) -> Picture | None:
    path = run.run_dir.picture(name)
    if not path.is_file() or (name in _FROM_ANALYSIS and not run.analysis):
        return None
    return embed_file(path, alt_texts.picture_text(name, run))


def _calibrations(run: RunFiles) -> list[CalibrationRow]:
    accuracies = {receipt.name: receipt.accuracy for receipt in run.report.receipts}
    return [
        CalibrationRow(variant, accuracies[variant.name])
        for variant in (run.analysis.variants if run.analysis else ())
        if variant.name in accuracies
    ]
