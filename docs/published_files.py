"""What of `saved_models/` a wheel carries: receipts of all runs, and weights below 5 MB.

Hatchling runs it when it builds the wheel, as `pyproject.toml` says. An editable install reads
`saved_models/` itself.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

RECEIPTS = ("recipe.json", "report.json", "labels.txt")
WEIGHTS = ("weights.json", "weights.npz")
LARGEST = 5e6  # bytes of a model's weights


def published_files(root: Path) -> dict[str, str]:
    """Return the files that a wheel carries, and where in it they lie."""
    found = {}
    for report in sorted(root.glob("saved_models/*/report.json")):
        folder = report.parent
        weights = [folder / name for name in WEIGHTS if (folder / name).is_file()]
        small = sum(file.stat().st_size for file in weights) < LARGEST
        receipts = [folder / name for name in RECEIPTS if (folder / name).is_file()]
        for file in [*receipts, *(weights if small else [])]:
            found[str(file)] = f"kcnn/_published/{folder.name}/{file.name}"
    return found


class PublishedFiles(BuildHookInterface):
    """Adds the files to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files, before the wheel is written."""
        build_data["force_include"] |= published_files(Path(self.root))
