"""The model card of a run: `README.md`, written from its files alone.

Mitchell et al., "Model Cards for Model Reporting" (2019), https://arxiv.org/abs/1810.03993.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from kcnn.data.operations import AUGMENTATIONS, OPERATIONS
from kcnn.intervals import wilson_interval
from kcnn.model_places import MANIFEST
from kcnn.models import FAMILIES
from kcnn.recipe import Recipe
from kcnn.report import receipts_table
from kcnn.report.analysis import VariantAnalysis
from kcnn.report.receipts import Report
from kcnn.report.repeat_command import repeat_command
from kcnn.report.robustness import summary
from kcnn.report.run_files import RunFiles, read_run
from kcnn.report.run_page import hardware_text, training_text
from kcnn.templates import templates
from kcnn.text_files import write_text

FILE = "README.md"

_TOGETHER = {"shift_mirror": ("shift", "mirror")}
_OPTIMIZERS = {
    "adam": "Adam",
    "adamw": "AdamW",
    "muon": "Muon",
    "rmsprop": "RMSprop",
    "sgd": "SGD",
}
_SCHEDULES = {
    "cosine": "falls along a cosine to zero",
    "linear": "falls along a line to zero",
    "one_cycle": "rises for 30 % of the epochs, then falls along a cosine to almost zero",
    "triangle": "rises for 23 % of the epochs, then falls, both along lines",
    "plateau": "falls whenever the validation loss stalls",
    "constant": "does not change",
    "step": "falls in equal steps",
    "multi_step": "falls in steps",
}


def write_card(folder: Path) -> Path:
    """Write the folder's `README.md` and return its path.

    Raises:
        ValueError: the folder holds no run, or one of its files is damaged.
    """
    text = render_card(read_run(folder))
    write_text(folder / FILE, text)
    return folder / FILE


def render_card(run: RunFiles) -> str:
    """Return the model card of a run as Markdown."""
    report, recipe = run.report, run.recipe
    family = next((each for each in FAMILIES.values() if report.model in each.builders), None)
    scored = [(each, *wilson_interval(each.accuracy, each.count)) for each in report.receipts]
    shown = run.analysis.variants if run.analysis else ()
    return _template().render(
        name=run.run_dir.path.name,
        report=report,
        first=report.receipts[0],
        classes=run.run_dir.class_names() or _names(shown),
        paper=family and (family.paper, family.url),
        options=dict(recipe.model.options) if recipe else {},
        published=(run.run_dir.path / MANIFEST).is_file(),
        others=_others(report),
        file=_file(run),
        curves=run.run_dir.picture("curves").is_file(),
        picture="grad_cam.png" if run.run_dir.picture("grad_cam").is_file() else None,
        settings=_settings(recipe, report) if recipe else {},
        chosen=bool(recipe) and not recipe.trained and not _keeps_the_last(recipe),
        command=repeat_command(report, recipe) if recipe else None,
        hardware=hardware_text(report),
        versions=", ".join(f"{each} {number}" for each, number in report.versions.items()),
        scored=scored,
        receipts=receipts_table.markdown(report),
        variants=[each for each in shown if each.name in ("float", "int8")] or list(shown[:1]),
        worst=_worst(shown[0]) if shown else None,
        robustness=run.robustness,
        summary=summary,
    )


def _others(report: Report) -> list[str]:
    """Return the accuracies that a reader looks for beside the first one."""
    found = []
    for each in report.receipts[1:]:
        if each.name == "int8":
            found.append(f"{each.accuracy:.2%} as int8 in {each.bytes:,} bytes")
        elif each.name.startswith(f"{report.receipts[0].name}, TTA"):
            found.append(f"{each.accuracy:.2%} averaged over views of each image (TTA)")
    return found


def _file(run: RunFiles) -> str | None:
    """Return the name of the int8 file, or of another TFLite file."""
    files = sorted(each.name for each in run.run_dir.path.glob("*.tflite"))
    return next((each for each in files if each == "model_int8.tflite"), next(iter(files), None))


def _keeps_the_last(recipe: Recipe) -> bool:
    return bool(recipe.train.lookahead) or recipe.train.keep == "last"


def _settings(recipe: Recipe, report: Report) -> dict[str, Any]:
    """Return how the model was trained, in the words of a table."""
    if recipe.trained:
        origin = f"the trained model {recipe.trained}{_digest(report, 'model')}"
        return {"from": f"{origin}; nothing was trained before its stages"}
    train: Any = recipe.resolved().train
    settings: dict[str, Any] = {"length": training_text(report), "batch": recipe.data.batch_size}
    momentum = f", momentum {train.momentum:g}" if train.momentum else ""
    settings["optimizer"] = (
        _OPTIMIZERS[train.optimizer] + momentum + ", Nesterov" * bool(train.nesterov)
    )
    plural = "" if train.warmup_epochs == 1 else "s"
    rise = f" after a rise of {train.warmup_epochs:g} epoch{plural}" if train.warmup_epochs else ""
    settings["learning rate"] = f"{train.learning_rate:g}, {_SCHEDULES[train.schedule]}{rise}"
    if train.weight_decay:
        settings["weight decay"] = f"{train.weight_decay:g}, {train.decay or 'decoupled'}"
    if train.label_smoothing:
        settings["label smoothing"] = f"{train.label_smoothing:g}"
    if train.ema:
        settings["average of the weights"] = f"exponential, momentum {train.ema:g}"
    settings["augmentation"] = _augmentation(recipe.data.augment)
    if recipe.distill:
        teacher = f"{recipe.distill.teacher}{_digest(report, 'teacher')}"
        settings["teacher"] = f"{teacher}, weight {recipe.distill.alpha:g}"
    if recipe.transfer:
        settings["base"] = f"{recipe.transfer.base}{_digest(report, 'base')}"
    kept = "last" if _keeps_the_last(recipe) else "best on validation images"
    settings["kept epoch"] = kept
    return settings


def _digest(report: Report, purpose: str) -> str:
    digest = report.training.get(f"{purpose}_sha256")
    return f" (SHA-256 `{str(digest)[:16]}…`)" if digest else ""


def _augmentation(augment: str | tuple[str, ...]) -> str:
    names = AUGMENTATIONS.get(augment, (augment,)) if isinstance(augment, str) else augment
    names = [each for name in names for each in _TOGETHER.get(name, (name,))]
    found = [OPERATIONS[name].does if name in OPERATIONS else name for name in names]
    return "; ".join(found) or "none"


def _names(variants: Sequence[VariantAnalysis]) -> tuple[str, ...]:
    return tuple(each.name for each in variants[0].classes) if variants else ()


def _worst(variant: VariantAnalysis) -> Any:
    """Return the class whose images are predicted worst."""
    return min(variant.classes, key=lambda each: each.recall if each.support else 1.0)


@cache
def _template() -> Any:
    environment = templates(Path(__file__).parent / "templates", html=False).overlay(
        finalize=lambda value: value.replace("<", "&lt;") if isinstance(value, str) else value
    )
    return environment.get_template("card.md.j2")
