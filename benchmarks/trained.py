"""Time to an accuracy, read from the folders of finished runs: nothing is trained here."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cells import Table, number
from benchmarks.results import Entry, Fact, Race
from kcnn.report import receipts

_TEST_IMAGES = 10_000
RECIPES = ("speedrun93", "speedrun94", "speedrun95")


def races(folders: Sequence[Path]) -> list[Race]:
    """Return a race for each recipe, processor and number of epochs, with one entry for each run.

    Its value is the training time in seconds from the report of the run; its facts are the test
    accuracies of the trained model, with and without test-time augmentation.
    """
    entries: dict[tuple[str, str, int], list[Entry]] = {}
    for file in sorted(file for folder in folders for file in folder.glob("*/report.json")):
        try:
            report = receipts.load(file)
        except ValueError:
            continue  # the report of something else, or of another version of kcnn
        # The report names the recipe: --out lets a run have any folder. A run with --smoke
        # has fewer test images.
        if report.recipe in RECIPES and report.receipts[0].count == _TEST_IMAGES:
            epochs = int(str(report.training.get("epochs", 0)))
            alike = report.recipe, str(report.hardware["processor"]), epochs
            entries.setdefault(alike, []).append(_entry(file.parent, report))
    return [
        Race("s", tuple(found), {"model": recipe, "processor": processor, "epochs": epochs})
        for (recipe, processor, epochs), found in sorted(entries.items())
    ]


def _entry(folder: Path, report: receipts.Report) -> Entry:
    facts: dict[str, Fact] = {
        "seed": report.seed,
        "processor": _processor(report),
        "epochs": int(str(report.training.get("epochs", 0))),
    }
    for receipt in report.receipts:
        if receipt.name == "float" or receipt.name.startswith("float, TTA"):
            facts[receipt.name] = receipt.accuracy
    return Entry(folder.name, (float(str(report.training["seconds"])),), facts=facts)


def _processor(report: receipts.Report) -> str:
    known = [str(report.hardware["processor"]), f"{report.hardware['cores']} cores"]
    precision = report.training.get("precision")
    return ", ".join([*known, str(precision)] if precision else known)


def run_table(race: Race) -> Table:
    """Return the runs of one recipe, and their mean."""
    scores = list(
        dict.fromkeys(
            key for entry in race.entries for key in entry.facts if key.startswith("float")
        )
    )
    rows = [
        (
            f"{entry.contestant}, seed {entry.facts['seed']}",
            f"{entry.values[0]:,.0f}",
            *(f"{entry.facts[key]:.2%}" if key in entry.facts else "–" for key in scores),
            str(entry.facts["processor"]),
        )
        for entry in race.entries
    ]
    if len(rows) > 1:
        seconds = number([entry.values[0] for entry in race.entries])
        means = [
            _mean([float(entry.facts[key]) for entry in race.entries if key in entry.facts])
            for key in scores
        ]
        rows.append((f"all {len(rows)}", seconds, *means, ""))
    epochs = f", {race.facts['epochs']} epochs" if "epochs" in race.facts else ""
    return Table(
        f"**`{race.facts['model']}`{epochs}**: seconds of training, and test accuracy, each run's "
        "and their mean and standard deviation.",
        ("run", "seconds", *scores, "processor"),
        tuple(rows),
    )


def _mean(scores: list[float]) -> str:
    deviation = f" ± {statistics.stdev(scores):.2%}" if len(scores) > 1 else ""
    return f"{statistics.mean(scores):.2%}{deviation}"
