"""The page of a sweep: all its trials on one page, each with a link to that of its run."""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from kcnn.report.embed import Picture, embed_figure
from kcnn.report.render import render
from kcnn.report.run_page import hardware_text
from kcnn.report.study_plot import study_figure
from kcnn.report.study_report import (
    StudyReport,
    Trial,
    caption,
    count_text,
    header,
    row,
    shown,
)
from kcnn.run_dir import RunDir
from kcnn.text_files import write_text

PAGE = "study.html"


class _Row(NamedTuple):
    trial: Trial
    cells: tuple[str, ...]
    href: str | None
    on_front: bool


def write_study_page(report: StudyReport, folder: Path) -> Path:
    """Write the page of a study into its folder, and return its path."""
    front = {each.number for each in report.front()}
    ranked = [each.number for each in report.ranked()]
    places = {number: place for place, number in enumerate(ranked)}
    trials = sorted(report.trials, key=lambda each: places.get(each.number, len(places)))
    page = render(
        "study.html.j2",
        report=report,
        counts=count_text(report.trials),
        caption=caption(report),
        hardware=hardware_text(report),
        summary=summary(report),
        titles=header(report),
        rows=[
            _Row(each, row(report, each), _link(folder, each), each.number in front)
            for each in trials
        ],
        picture=_picture(report),
    )
    write_text(folder / PAGE, page)
    return folder / PAGE


def summary(report: StudyReport) -> str:
    """Return what came out of a study, in one or two sentences.

    >>> trials = (Trial(0, "complete", {"seed": 0}, 0.9), Trial(1, "complete", {"seed": 1}, 0.8))
    >>> summary(StudyReport("x", "lenet5", "digits", {"seed": "0 to 1"}, trials))
    'Validation accuracy 85.00 ± 7.07% over 2 seeds (mean and standard deviation).'
    """
    if report.over_seeds:
        parts = []
        for kind, test in (("Validation", False), ("Test", True)):
            if found := report.mean_and_spread(test=test):
                count = len(report.ranked())
                parts.append(
                    f"{kind} accuracy {100 * found[0]:.2f} ± {found[1]:.2%} over {count} seeds "
                    "(mean and standard deviation)."
                )
        return " ".join(parts) or "No trial is complete yet."
    front = report.front()
    if not front:
        within = " within the limits" if report.int8 else ""
        return f"No trial{within} is complete yet."
    best = max(front, key=lambda each: each.accuracy or 0.0)
    drawn = ", ".join(f"{key}={shown(value)}" for key, value in best.values.items())
    size = f", {best.bytes:,} bytes" if best.bytes else ""
    return f"The best trial is {best.number}: {best.accuracy:.2%}{size}, with {drawn}."


def _link(folder: Path, trial: Trial) -> str | None:
    page = RunDir(folder / trial.folder).page
    return quote(f"{trial.folder}/{page.name}") if trial.folder and page.is_file() else None


def _picture(report: StudyReport) -> Picture | None:
    if not any(each.accuracy is not None for each in report.trials):
        return None
    return embed_figure(study_figure(report), f"{caption(report)}. {summary(report)}")
