"""What an unfinished run has so far, in words."""

import math
from typing import Any

from kcnn.errors import naming
from kcnn.recipe import from_json
from kcnn.report.run_files import History, read_history
from kcnn.run_dir import RunDir

_MONITOR = "val_loss"  # which decides what the best model of a run is


def progress_lines(run_dir: RunDir, journal: dict[str, Any]) -> list[str]:
    """Return lines that say what is done, what is kept, and what is missing.

    Args:
        run_dir: The folder of the run.
        journal: What `kcnn.run_digests.read_journal` returns.

    Raises:
        ValueError: The recipe or the history is damaged.
    """
    steps = ", ".join(journal["steps"]) or "no step"
    lines = [f"an unfinished run, begun {journal['begun']} UTC; done so far: {steps}"]
    if reason := journal.get("stop_reason"):
        lines.append(f"why the training stopped: {reason}")
    lines.append(_epochs(run_dir))
    if run_dir.best.is_file():
        lines.append(f"best model so far: {run_dir.best}")
    if "train" not in journal["steps"]:
        states = sorted(run_dir.state.rglob("*.state"))
        kept = str(states[0]) if states else "none, so the training starts from epoch 1"
        lines.append(f"kept state: {kept}")
    files = (run_dir.recipe, run_dir.model, run_dir.report)
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        lines.append(f"missing: {', '.join(missing)}")
    if run_dir.recipe.is_file():
        lines.append("the same command continues the run")
    else:
        lines.append(f"put {run_dir.recipe.name} back, or begin again with --overwrite")
    return lines


def _epochs(run_dir: RunDir) -> str:
    """Return how many epochs are done, and which is the best."""
    history, total = read_history(run_dir.history), ""
    if run_dir.recipe.is_file():
        with naming(run_dir.recipe):
            recipe = from_json(run_dir.recipe.read_text(encoding="utf-8"))
        total = f" of {recipe.train.epochs}"
    if history is None:
        return f"epochs: 0{total}"
    return f"epochs: {len(history['loss'])}{total}{_best(history)}"


def _best(history: History) -> str:
    values = [(value, epoch) for epoch, value in enumerate(history.get(_MONITOR, ()), start=1)]
    finite = [each for each in values if math.isfinite(each[0])]
    if not finite:
        return ""
    value, epoch = min(finite)
    return f"; the best is epoch {epoch} with {_MONITOR} {value:.4f}"
