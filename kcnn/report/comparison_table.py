"""The table of a comparison, for the terminal and for Markdown."""

from collections.abc import Callable
from statistics import mean, median, stdev

from kcnn.recipe import Recipe
from kcnn.report.comparison_report import ComparisonReport, Outcome
from kcnn.report.markdown_table import markdown_table

_HEADER = ("variant", "parameters", "test accuracy", "validation", "training", "loss", "s/epoch")


def header(report: ComparisonReport) -> tuple[str, ...]:
    """Return the titles of the columns; those of shifted test images come last."""
    return (*_HEADER, *(f"{pixels} px off" for pixels in _shifts(report)))


def row(report: ComparisonReport, variant: str) -> tuple[str, ...]:
    """Return one variant's cells, in the order of `header`."""
    outcomes = report.finished(variant)

    def value(read: Callable[[Outcome], float], pattern: str = ".2%") -> str:
        return format(mean(map(read, outcomes)), pattern) if outcomes else "–"

    every = [outcome for outcome in report.outcomes if outcome.variant == variant]
    return (
        variant,
        f"{every[0].parameters:,}" if every else "–",
        _test_accuracy(report, variant),
        value(lambda each: each.history["val_accuracy"][-1]),
        value(lambda each: each.history["accuracy"][-1]),
        value(lambda each: each.history["loss"][-1], ".3f"),
        # The median: the first epoch also compiles, and other work may disturb any.
        value(lambda each: median(each.history["seconds"]), ".1f"),
        *(value(lambda each, by=pixels: each.shifted[by]) for pixels in _shifts(report)),
    )


def caption(report: ComparisonReport) -> str:
    """Return what the numbers mean, in a few sentences."""
    recipes, seeds = report.comparison.variants.values(), report.comparison.seeds
    epochs = _range({_epochs(recipe) for recipe in recipes})
    trainings = f"one training each, seed {seeds[0]}"
    if len(seeds) > 1:
        trainings = f"means of {len(seeds)} trainings each, ± their standard deviation"
    off = (
        ' "n px off" is the test accuracy on images moved n pixels to the right and down, on black.'
    )
    return (
        f"{report.name}: {_range({each.train_images for each in report.outcomes})} training images "
        f"of {' and '.join(sorted({recipe.data.name for recipe in recipes}))}, {epochs} "
        f"epoch{'' if epochs == '1' else 's'}, {trainings}. All numbers are those of the last "
        "epoch. Parameters are the trainable ones. Test accuracy is on all "
        f"{_range({each.test_images for each in report.outcomes})} test images; "
        "training accuracy and loss are averaged over the epoch, with augmentation and dropout; "
        f"s/epoch on {_machines(report)}."
        f"{off if _shifts(report) else ''}"
    )


def markdown(report: ComparisonReport) -> str:
    """Return the table as Markdown, numbers right-aligned."""
    rows = [row(report, variant) for variant in report.comparison.variants]
    return markdown_table(header(report), rows)


def document(report: ComparisonReport, picture: str) -> str:
    """Return the comparison as a page of Markdown: question, table, caption and picture."""
    question = report.comparison.question
    return f"# {question}\n\n{markdown(report)}\n\n{caption(report)}\n\n![{question}]({picture})\n"


def _machines(report: ComparisonReport) -> str:
    every = [each.hardware or report.hardware for each in report.outcomes] or [report.hardware]
    unknown = "a processor that is not known"
    names = dict.fromkeys(
        f"{each.get('cores', '?')} cores of {each.get('processor', unknown)}" for each in every
    )
    return " or ".join(names) + (", which are not to be compared" if len(names) > 1 else "")


def _epochs(recipe: Recipe) -> int:
    return recipe.train.epochs + (recipe.transfer.head_epochs if recipe.transfer else 0)


def _test_accuracy(report: ComparisonReport, variant: str) -> str:
    finished = report.finished(variant)
    accuracies = [each.test_accuracy for each in finished if each.test_accuracy is not None]
    diverged = [each.diverged for each in report.diverged(variant) if each.diverged is not None]
    if not accuracies:
        return f"diverged in epoch {_range(set(diverged))}" if diverged else "not trained yet"
    cell = f"{mean(accuracies):.2%}"
    if len(accuracies) > 1:
        cell = f"{100 * mean(accuracies):.2f} ± {100 * stdev(accuracies):.2f}%"
    return f"{cell}, {len(diverged)} diverged" if diverged else cell


def _shifts(report: ComparisonReport) -> list[int]:
    return [pixels for pixels in report.comparison.shifts if pixels]


def _range(numbers: set[int]) -> str:
    ends = sorted({min(numbers, default=0), max(numbers, default=0)})
    return " to ".join(f"{end:,}" for end in ends)
