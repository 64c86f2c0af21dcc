"""Runs side by side on one page."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from kcnn.recipe import to_json
from kcnn.report.course_plot import courses_figure
from kcnn.report.embed import Picture, embed_figure
from kcnn.report.html import render
from kcnn.report.page import hardware_text, receipt_rows, training_text
from kcnn.report.run_files import RunFiles, read_run
from kcnn.report.table import more_columns
from kcnn.run_dir import atomic


def write_comparison(folders: Sequence[Path], out: Path) -> Path:
    """Write a page with the receipts, the curves and the differences of runs, and return its path.

    Raises:
        ValueError: fewer than two runs, the same one twice, a folder that holds no run, or `out`
            exists.
    """
    if out.exists():
        raise ValueError(f"{str(out)!r} exists: name another file with --out.")
    if len({folder.resolve() for folder in folders}) != len(folders) or len(folders) < 2:
        raise ValueError(
            "Expected two different runs at least. Received: " + ", ".join(map(str, folders))
        )
    page = _render([read_run(folder) for folder in folders], out.parent)
    with atomic(out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return out


def _render(runs: Sequence[RunFiles], home: Path) -> str:
    names = _names(runs)
    rows = [row for name, run in zip(names, runs, strict=True) for row in receipt_rows(run, name)]
    return render(
        "compare.html.j2",
        runs=[
            {
                "name": name,
                "report": run.report,
                "training": training_text(run.report),
                "href": _link(run, home),
            }
            for name, run in zip(names, runs, strict=True)
        ],
        unlike=len({(run.report.dataset, run.report.receipts[0].count) for run in runs}) > 1,
        receipts=rows,
        more_columns=more_columns([row.receipt for row in rows]),
        course=_course(names, runs),
        differences=_differences(runs),
    )


def _names(runs: Sequence[RunFiles]) -> list[str]:
    """Return the folders' names, or their paths where two have the same name."""
    names = [run.run_dir.path.resolve().name for run in runs]
    if len(set(names)) == len(names):
        return names
    return [str(run.run_dir.path) for run in runs]


def _link(run: RunFiles, home: Path) -> str | None:
    page = run.run_dir.page
    return quote(Path(os.path.relpath(page, home)).as_posix()) if page.is_file() else None


def _course(names: Sequence[str], runs: Sequence[RunFiles]) -> Picture | None:
    histories = {name: run.history for name, run in zip(names, runs, strict=True) if run.history}
    if not histories:
        return None
    best = [
        f"{name} ends at {history['val_accuracy'][-1]:.1%} after {len(history['loss'])} epochs"
        for name, history in histories.items()
        if history.get("val_accuracy")
    ]
    alt = f"Learning curves of {', '.join(histories)}."
    return embed_figure(
        courses_figure(histories), f"{alt} Validation accuracy: {'; '.join(best)}." if best else alt
    )


def _differences(runs: Sequence[RunFiles]) -> dict[str, list[str]]:
    """Return every setting that is not the same in all runs, with its value in each."""
    settings = [_settings(run) for run in runs]
    found = list(dict.fromkeys(key for each in settings for key in each))
    sections = [key.partition(".")[0] for key in found]
    keys = sorted(found, key=lambda key: sections.index(key.partition(".")[0]))
    rows = {key: [each.get(key, "–") for each in settings] for key in keys}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def _settings(run: RunFiles) -> dict[str, str]:
    report = run.report
    known = _flat(json.loads(to_json(run.recipe))) if run.recipe else {}
    return known | {
        "parameters": f"{report.parameters:,}",
        "hardware": hardware_text(report),
        "commit": (report.git_commit or "not known")[:12],
        **{f"version of {name}": version for name, version in report.versions.items()},
    }


def _flat(values: dict[str, object], prefix: str = "") -> dict[str, str]:
    flat = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value)
    return flat
