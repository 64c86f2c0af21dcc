"""Texts that describe a run's pictures, for readers who cannot see them."""

from collections.abc import Callable, Sequence

from kcnn.report.analysis import Analysis, Case
from kcnn.report.receipts import Receipt
from kcnn.report.run_files import History, RunFiles

_SPOKEN = 6  # cases that are described; a screen reader reads all of it aloud


def picture_text(picture: str, run: RunFiles) -> str:
    """Return the description of one of a run's pictures, by its name in `RunDir.picture`."""
    first, analysis = run.report.receipts[0], run.analysis
    if picture == "confusion":
        return _confusion(first, analysis)
    if picture in ("heatmaps", "grad_cam"):
        return _heatmaps(first, analysis if picture == "heatmaps" else None)
    return _OF_ANALYSIS[picture](first, analysis) if analysis else ""


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


def _confusion(first: Receipt, analysis: Analysis | None) -> str:
    text = (
        f"Confusion matrix of the {first.name} model on {first.count:,} test images, true classes "
        f"down, predicted classes across: {first.accuracy:.2%} lie on the diagonal."
    )
    pairs = analysis.variants[0].confused if analysis else ()
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


def _heatmaps(first: Receipt, analysis: Analysis | None) -> str:
    pairs = analysis.disagreements[:1] if analysis else ()
    measured = {drift.variant for drift in analysis.drifts} if analysis else set()
    others = "".join(f", then the heat map of {p.second}" for p in pairs if p.second in measured)
    return (
        f"Test images, each beside the {first.name} model's heat map of the class that it "
        f"predicts{others}: the brighter, the more evidence."
    )


def _spoken(cases: Sequence[Case], variants: Sequence[str] = ()) -> str:
    texts = [_case(case, variants) for case in cases[:_SPOKEN]]
    more = len(cases) - len(texts)
    return "; ".join(texts) + (f"; and {more} more" if more > 0 else "")


def _case(case: Case, variants: Sequence[str]) -> str:
    predicted = [f"predicted {each.predicted} ({each.probability:.1%})" for each in case.answers]
    if variants:
        pairs = zip(predicted, variants, strict=True)
        predicted = [f"{prediction} by {variant}" for prediction, variant in pairs]
    return ", ".join([case.truth, *predicted])


_OF_ANALYSIS: dict[str, Callable[[Receipt, Analysis], str]] = {
    "reliability": _reliability,
    "mistakes": _mistakes,
    "disagreements": _disagreements,
}
