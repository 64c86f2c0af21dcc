"""Write the model cards of the published runs, and the picture of what their accuracy costs.

    python docs/update_cards.py

A card is the `README.md` in the folder of a run; it has the numbers of the files beside it. A test
checks that the cards are those that this script writes.
"""

from pathlib import Path

from kcnn.report import receipts
from kcnn.report.card import write_card
from kcnn.report.tradeoff_plot import plot_tradeoff

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs/pictures/tradeoff.png"
TEST_IMAGES = 10_000  # a network of fewer classes has an easier task


def published_runs() -> list[Path]:
    """Return the folders of the published runs; the quickstart's own is not published."""
    reports = sorted(ROOT.glob("saved_models/*/report.json"))
    return [file.parent for file in reports if file.parent.name != "quickstart"]


def compared_runs() -> list[receipts.Report]:
    """Return the reports of the published runs that were scored on all test images of CIFAR-10."""
    reports = [receipts.load(folder / "report.json") for folder in published_runs()]
    return [report for report in reports if report.receipts[0].count == TEST_IMAGES]


if __name__ == "__main__":
    for folder in published_runs():
        print(write_card(folder))  # noqa: T201
    plot_tradeoff(compared_runs(), PICTURE)
    print(PICTURE)  # noqa: T201
