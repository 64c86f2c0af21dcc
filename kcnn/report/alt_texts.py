"""Texts that describe a run's pictures, for readers who cannot see them."""

from collections.abc import Callable, Sequence

from kcnn.report.analysis import Analysis, Case
from kcnn.report.receipts import Receipt
from kcnn.report.run_files import History, RunFiles

_SPOKEN = 6  # cases that are described; a screen reader reads all of it aloud


def picture_text(picture: str, run: RunFiles) -> str:
    """Return the description of one of a run's pictures, by its name in `RunDir.picture`."""
    first = run.report.receipts[0]
    if picture in _OF_ANALYSIS:
        return _OF_ANALYSIS[picture](first, run.analysis) if run.analysis else ""
    return {"confusion": _confusion, "heatmaps": _heatmaps, "grad_cam": _grad_cam}[picture](run)


def curves_text(history: History) -> str:
    """Return the description of the learning curves."""
    epochs = len(history["loss"])
    parts = [
        f"{name} from {format(history[key][0], pattern)} to {format(history[key][-1], pattern)}"
        for key, name, pattern in (
            ("loss", "training loss", ".3f"),
            ("val_loss", "validation loss", ".3f"),
            ("val_accuracy", "validation accuracy", ".1%"),
            ("learning_rate", "learning rate", ".3g"),
        )
        if history.get(key)
    ]
    return f"Curves over {epochs} epoch{'' if epochs == 1 else 's'}: {'; '.join(parts)}."


def _confusion(run: RunFiles) -> str:
    first = run.report.receipts[0]
    text = (
        f"Confusion matrix of the {first.name} model on {first.count:,} test images, true classes "
        f"down, predicted classes across: {first.accuracy:.2%} lie on the diagonal."
    )
    pairs = run.analysis.variants[0].confused if run.analysis else ()
    often = [f"{pair.truth} predicted as {pair.predicted} ({pair.count})" for pair in pairs[:3]]
    return f"{text} Most often confused: {', '.join(often)}." if often else text


def _reliability(_: Receipt, analysis: Analysis) -> str:
    variants = [
        f"{variant.name} has a mean confidence of {variant.calibration.mean_confidence:.1%} and an "
        f"expected calibration error of {variant.calibration.error:.2%}"
        for variant in analysis.variants
    ]
    return f"Reliability diagrams, accuracy by confidence: {'; '.join(variants)}."


def _mistakes(first: Receipt, analysis: Analysis) -> str:
    return (
        f"The {len(analysis.mistakes)} most confident mistakes of the {first.name} model on the "
        f"test images: {_spoken(analysis.mistakes)}."
    )


def _disagreements(_: Receipt, analysis: Analysis) -> str:
    texts = []
    for each in analysis.disagreements[:1]:
        for cases, right, wrong in (
            (each.lost, each.first, each.second),
            (each.gained, each.second, each.first),
        ):
            if cases:
                names = (each.first, each.second)
                texts.append(f"{right} correct, {wrong} wrong: {_spoken(cases, names)}.")
    return " ".join(texts)


def _heatmaps(run: RunFiles) -> str:
    pairs = run.analysis.disagreements[:1] if run.analysis else ()
    measured = {drift.variant for drift in run.analysis.drifts} if run.analysis else set()
    others = "".join(f", then the heat map of {p.second}" for p in pairs if p.second in measured)
    return (
        f"Test images, each beside the {run.report.receipts[0].name} model's heat map of the class "
        f"that it predicts{others}: the brighter, the more evidence."
    )


def _grad_cam(run: RunFiles) -> str:
    return (
        f"Test images, each beside the {run.report.receipts[0].name} model's heat map of the class "
        "that it predicts: the brighter, the more evidence."
    )


def _spoken(cases: Sequence[Case], variants: Sequence[str] = ("",)) -> str:
    texts = []
    for case in cases[:_SPOKEN]:
        answers = (
            f"{variant} {answer.predicted} {answer.probability:.1%}".strip()
            for variant, answer in zip(variants, case.answers, strict=True)
        )
        texts.append(f"{case.truth}, predicted {' and '.join(answers)}")
    more = len(cases) - len(texts)
    return "; ".join(texts) + (f"; and {more} more" if more > 0 else "")


_OF_ANALYSIS: dict[str, Callable[[Receipt, Analysis], str]] = {
    "reliability": _reliability,
    "mistakes": _mistakes,
    "disagreements": _disagreements,
}
