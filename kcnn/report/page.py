"""A run on one page: `report.html`, made of the files in the run's folder alone."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from kcnn.intervals import wilson_interval
from kcnn.recipe import to_json
from kcnn.report import descriptions
from kcnn.report.command import command
from kcnn.report.course_plot import course_figure
from kcnn.report.embed import Picture, embed_figure, embed_file
from kcnn.report.events import events
from kcnn.report.html import render
from kcnn.report.receipts import Receipt, Report
from kcnn.report.run_files import RunFiles, read_run
from kcnn.report.table import more_columns
from kcnn.run_dir import atomic

_PICTURES = ("confusion", "reliability", "mistakes", "disagreements", "heatmaps", "grad_cam")
_FROM_ANALYSIS = ("reliability", "mistakes", "disagreements")


@dataclass(frozen=True)
class ReceiptRow:
    """One row of a page's table of receipts."""

    run: str
    receipt: Receipt
    low: float
    """Lower and upper end of the accuracy's 95 % interval."""
    high: float
    href: str | None = None
    """Of its file, where it is there."""


def write_page(folder: Path) -> Path:
    """Write the folder's `report.html` and return its path.

    What the run's files do not tell, such as those of an older version, is left out.

    Raises:
        ValueError: the folder holds no run, or a file of it is damaged.
    """
    run = read_run(folder)
    page = render_run(run)
    with atomic(run.run_dir.page) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return run.run_dir.page


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
        command=command(report, recipe) if recipe else None,
        recipe_text=to_json(recipe) if recipe else None,
        course=_course(run),
        events=events(run),
        receipts=receipt_rows(run),
        more_columns=more_columns(report.receipts),
        pictures=pictures,
        analysis=run.analysis,
        mistakes_known=bool(pictures["confusion"] or run.analysis),
        calibrations=_calibrations(run),
        heat=pictures["heatmaps"] or pictures["grad_cam"],
        files=[
            {"name": file.name, "href": quote(file.name), "bytes": file.stat().st_size}
            for file in run.run_dir.files()
            if file != run.run_dir.page
        ],
    )


def receipt_rows(run: RunFiles, name: str = "") -> list[ReceiptRow]:
    """Return the rows of a run's table of receipts."""
    rows = []
    for receipt in run.report.receipts:
        there = (run.run_dir.path / Path(receipt.file).name).is_file()
        href = quote(Path(receipt.file).name) if there else None
        rows.append(
            ReceiptRow(name, receipt, *wilson_interval(receipt.accuracy, receipt.count), href)
        )
    return rows


def training_text(report: Report) -> str:
    """Return how long the training was, in words."""
    training = report.training
    if "taken_from" in training:
        return f"none: the model of {training['taken_from']}"
    epochs = training.get("epochs")
    text = f"{epochs} epoch{'' if epochs == 1 else 's'}" if epochs else "not known"
    seconds = training.get("seconds")
    if isinstance(seconds, int | float):
        text += f" in {_duration(seconds)}"
    if precision := training.get("precision"):
        text += f", {precision}"
    return text


def hardware_text(report: Report) -> str:
    """Return the machine in words."""
    hardware = report.hardware
    parts = (hardware.get("processor"), f"{hardware.get('cores')} cores", hardware.get("system"))
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
    phone = next((receipt for receipt in report.receipts if receipt.file.endswith(".tflite")), None)
    if not phone or phone is first:
        return text
    points = 100 * (phone.accuracy - first.accuracy)
    return (
        f"{text} As {phone.name} it has {phone.bytes / 1000:,.0f} kB instead of "
        f"{first.bytes / 1000:,.0f}, takes {phone.ms_per_image:.2f} ms for an image instead of "
        f"{first.ms_per_image:.2f}, and predicts {phone.accuracy:.2%} ({points:+.2f} points)."
    ).replace("(-", "(−")


def _course(run: RunFiles) -> Picture | None:
    if not run.history:
        return None
    return embed_figure(course_figure(run.history, events(run)), descriptions.course(run))


def _picture(run: RunFiles, name: str) -> Picture | None:
    path = run.run_dir.picture(name)
    if not path.is_file() or (name in _FROM_ANALYSIS and not run.analysis):
        return None
    return embed_file(path, descriptions.describe(name, run))


def _calibrations(run: RunFiles) -> list[dict[str, object]]:
    accuracies = {receipt.name: receipt.accuracy for receipt in run.report.receipts}
    return [
        {"variant": variant, "accuracy": accuracies[variant.name]}
        for variant in (run.analysis.variants if run.analysis else ())
        if variant.name in accuracies
    ]
