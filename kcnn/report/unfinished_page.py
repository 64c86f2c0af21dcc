"""The page of an unfinished run: what there is so far, without scores."""

from typing import Any
from urllib.parse import quote

from kcnn.report import alt_texts
from kcnn.report.embed import embed_figure
from kcnn.report.learning_curves import NOTE, narrow_curves_figure
from kcnn.report.render import render
from kcnn.report.run_files import read_history
from kcnn.report.unfinished import progress_lines
from kcnn.run_dir import RunDir

# Of any stage, also of one that is not part of kcnn.
_STAGE_FILES = ("model_*.keras", "model*_int8.tflite", "grad_cam.png", "heatmaps.png")


def render_unfinished(run_dir: RunDir, journal: dict[str, Any]) -> str:
    """Return the page of an unfinished run as HTML.

    Args:
        run_dir: The folder of the run.
        journal: What `kcnn.run_digests.read_journal` returns.

    Raises:
        ValueError: The recipe or the history is damaged.
    """
    history = read_history(run_dir.history)
    return render(
        "unfinished.html.j2",
        name=run_dir.path.resolve().name,
        progress=progress_lines(run_dir, journal),
        recipe_text=run_dir.recipe.read_text("utf-8") if run_dir.recipe.is_file() else None,
        curves=embed_figure(narrow_curves_figure(history, ()), alt_texts.curves_text(history))
        if history
        else None,
        curves_note=NOTE,
        files=linked_files(run_dir),
    )


def linked_files(run_dir: RunDir) -> list[dict[str, str | int]]:
    """Return name, link and size of each file of a run but the page itself."""
    return [
        {"name": file.name, "href": quote(file.name), "bytes": file.stat().st_size}
        for file in run_dir.files(_STAGE_FILES)
        if file != run_dir.page
    ]
