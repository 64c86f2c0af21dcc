"""What is seen in a run's pictures, in words: for who cannot see them, and for who looks twice."""

from collections.abc import Sequence

from kcnn.report.analysis import Case
from kcnn.report.run_files import RunFiles

_SPOKEN = 6  # a longer list is not listened to


def describe(picture: str, run: RunFiles) -> str:
    """Return what is seen in one of a run's pictures, by its name in `RunDir.picture`."""
    return _DESCRIPTIONS[picture](run)


def course(run: RunFiles) -> str:
    """Return what the learning curves show."""
    history = run.history or {}
    epochs = len(history["loss"])
    parts = [
        f"{name} from {format(history[key][0], form)} to {format(history[key][-1], form)}"
        for key, name, form in (
            ("loss", "training loss", ".3f"),
            ("val_loss", "validation loss", ".3f"),
            ("val_accuracy", "validation accuracy", ".1%"),
            ("learning_rate", "learning rate", ".3g"),
        )
        if history.get(key)
    ]
    return f"Curves over {epochs} epoch{'' if epochs == 1 else 's'}: {'; '.join(parts)}."


def _confusion(run: RunFiles) -> str:
    stage = run.report.stages[0]
    text = (
        f"Confusion matrix of the {stage.name} model on {stage.count:,} test images, true classes "
        f"down, predicted across: {stage.accuracy:.2%} lie on the diagonal."
    )
    pairs = run.analysis.forms[0].confused if run.analysis else ()
    often = [f"{pair.truth} told as {pair.told} ({pair.count})" for pair in pairs[:3]]
    return f"{text} Most often confused: {', '.join(often)}." if often else text


def _reliability(run: RunFiles) -> str:
    forms = [
        f"{form.name} is {form.calibration.mean_confidence:.1%} sure on average, its expected "
        f"calibration error is {form.calibration.error:.2%}"
        for form in run.analysis.forms
    ]
    return f"Reliability diagrams, accuracy by confidence: {'; '.join(forms)}."


def _mistakes(run: RunFiles) -> str:
    stage, cases = run.report.stages[0], run.analysis.mistakes
    return (
        f"{len(cases)} test images that the {stage.name} model told wrong, those it was surest of "
        f"first: {_spoken(cases)}."
    )


def _disagreements(run: RunFiles) -> str:
    texts = []
    for each in run.analysis.disagreements[:1]:
        for cases, right, wrong in (
            (each.lost, each.first, each.second),
            (each.gained, each.second, each.first),
        ):
            if cases:
                names = (each.first, each.second)
                texts.append(f"Right by {right}, wrong by {wrong}: {_spoken(cases, names)}.")
    return " ".join(texts)


def _heatmaps(run: RunFiles) -> str:
    pairs = run.analysis.disagreements[:1] if run.analysis else ()
    measured = {drift.form for drift in run.analysis.drifts} if run.analysis else set()
    others = "".join(f", then where {p.second} sees it" for p in pairs if p.second in measured)
    return (
        f"Test images, and beside each where the {run.report.stages[0].name} model sees the class "
        f"it tells{others}: the brighter, the more evidence."
    )


def _grad_cam(run: RunFiles) -> str:
    return (
        f"Test images, and beside each where the {run.report.stages[0].name} model sees the class "
        "it tells: the brighter, the more evidence."
    )


def _spoken(cases: Sequence[Case], forms: Sequence[str] = ("",)) -> str:
    texts = []
    for case in cases[:_SPOKEN]:
        told = (
            f"{form} {answer.told} {answer.probability:.0%}".strip()
            for form, answer in zip(forms, case.answers, strict=True)
        )
        texts.append(f"{case.truth}, told as {' and '.join(told)}")
    more = len(cases) - len(texts)
    return "; ".join(texts) + (f"; and {more} more" if more > 0 else "")


_DESCRIPTIONS = {
    "confusion": _confusion,
    "reliability": _reliability,
    "mistakes": _mistakes,
    "disagreements": _disagreements,
    "heatmaps": _heatmaps,
    "grad_cam": _grad_cam,
}
