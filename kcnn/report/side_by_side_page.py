"""A page with several runs side by side."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kcnn.recipe import to_values
from kcnn.report.embed import Picture, embed_figure
from kcnn.report.learning_curves import compared_curves_figure
from kcnn.report.receipts_table import optional_columns
from kcnn.report.render import render
from kcnn.report.run_files import RunFiles, read_run
from kcnn.report.run_page import hardware_text, receipt_rows, training_text
from kcnn.text_files import write_text


def write_side_by_side(folders: Sequence[Path], out: Path) -> Path:
    """Write a page with the receipts, the curves and the differences of runs; return its path.

    Args:
        folders: of two runs or more.
        out: the page to write; it must not exist.

    Raises:
        ValueError: there are fewer than two runs, one run is given twice, a folder holds no run,
            or `out` exists.
    """
    if out.exists():
        raise ValueError(f"{str(out)!r} exists: name another file with --out.")
    if len({folder.resolve() for folder in folders}) != len(folders) or len(folders) < 2:
        raise ValueError(
            "Expected two different runs at least. Received: " + ", ".join(map(str, folders))
        )
    page = _render([read_run(folder) for folder in folders], out.parent)
    write_text(out, page)
    return out


def _render(runs: Sequence[RunFiles], home: Path) -> str:
    names = _names(runs)
    rows = [row for name, run in zip(names, runs, strict=True) for row in receipt_rows(run, name)]
    return render(
        "side_by_side.html.j2",
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
        optional_columns=optional_columns([row.receipt for row in rows]),
        curves=_curves(names, runs),
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


def _curves(names: Sequence[str], runs: Sequence[RunFiles]) -> Picture | None:
    histories = {name: run.history for name, run in zip(names, runs, strict=True) if run.history}
    if not histories:
        return None
    text = f"Learning curves of {', '.join(histories)}."
    last = [
        f"{name} ends at {history['val_accuracy'][-1]:.1%} after {len(history['loss'])} epochs"
        for name, history in histories.items()
        if history.get("val_accuracy")
    ]
    if last:
        text += f" Validation accuracy: {'; '.join(last)}."
    return embed_figure(compared_curves_figure(histories), text)


def _differences(runs: Sequence[RunFiles]) -> dict[str, list[str]]:
    """Return every setting that differs between the runs, with its value in each."""
    settings = [_settings(run) for run in runs]
    found = list(dict.fromkeys(key for each in settings for key in each))
    sections = [key.partition(".")[0] for key in found]
    keys = sorted(found, key=lambda key: sections.index(key.partition(".")[0]))
    rows = {key: [each.get(key, "–") for each in settings] for key in keys}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def _settings(run: RunFiles) -> dict[str, str]:
    report = run.report
    recipe = _flat(to_values(run.recipe.resolved())) if run.recipe else {}
    return recipe | {
        "parameters": f"{report.parameters:,}",
        "hardware": hardware_text(report),
        "commit": (report.git_commit or "not known")[:12],
        **{f"version of {name}": version for name, version in report.versions.items()},
    }


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value)
    return flat
