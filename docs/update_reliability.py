"""Write the figures of RELIABILITY.md again, from those of the campaign and of the benchmark.

    python docs/update_reliability.py

They lie between `<!-- campaign -->` or `<!-- checkpoints -->` and `<!-- end -->`. A test checks
that the page has the figures that this script writes.
"""

import json
import re
from pathlib import Path
from typing import Any

from kcnn.report.markdown_table import markdown_table

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "RELIABILITY.md"
CAMPAIGN = ROOT / "docs/campaign.json"
CHECKPOINTS = ROOT / "benchmarks/checkpoints.json"
_MB = 1e6


def update(page: str) -> str:
    """Return the page's text with all figures written from the files."""
    return re.sub(
        r"(<!-- (campaign|checkpoints) -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}\n{_SECTIONS[match[2]]()}\n{match[3]}",
        page,
        flags=re.DOTALL,
    )


def _campaign() -> str:
    report = json.loads(CAMPAIGN.read_text())
    return "\n".join(_PARTS[name](report[name]) for name in _PARTS if name in report)


def _kills(part: dict[str, Any]) -> str:
    lines = [
        "**Kills.** Small trainings with dropout, averaged weights, early stopping and a plateau "
        "are killed by SIGKILL again and again until they end: in a call of a write (half of the "
        "kills), from outside while a write goes on, and at any time.\n",
        _counts(
            part,
            "backend",
            {
                "kills": "kills",
                "in a save": "in_saves",
                "trainings": "trainings",
                "unreadable files": "unreadable",
                "lost best models": "lost_bests",
                "ends in other bits": "different",
            },
        ),
    ]
    files: dict[str, int] = {}
    for found in part["found"].values():
        for name, count in found["files"].items():
            files[name] = files.get(name, 0) + count
    hit = ", ".join(f"`{name}` {count:,}" for name, count in sorted(files.items()))
    return "\n".join([*lines, f"\nFiles that were being written: {hit}. {_when(part)}\n"])


def _damaged_files(part: dict[str, Any]) -> str:
    lines = [
        "**Damaged files.** Files of every kind are cut off, or some of their bytes are changed. "
        "Each must be refused in one line that names it, or be read; a file that has a digest must "
        "be refused.\n",
        _counts(
            part,
            "kind",
            {"files": "files", "refused": "refused", "read": "loaded", "failures": "failed"},
        ),
    ]
    return "\n".join([*lines, f"\n{_when(part)}\n"])


def _counts(part: dict[str, Any], what: str, columns: dict[str, str]) -> str:
    """Return a row for each thing that was tried; `columns` has a count's name for each title."""
    rows = [
        (name, *(f"{found[count]:,}" for count in columns.values()))
        for name, found in part["found"].items()
    ]
    return markdown_table((what, *columns), rows)


def _faults(part: dict[str, Any]) -> str:
    found = part["found"]["kcnn"]
    lines = ["**Faults put into kcnn.** One guard at a time is taken out; its test must fail.\n"]
    rows = [(fault, f"`tests/{test}` fails") for fault, test in found["noticed"].items()]
    rows += [(fault, "**not noticed**") for fault in found["unnoticed"]]
    lines.append(markdown_table(("fault", "test"), rows, left=(0, 1)))
    return "\n".join([*lines, f"\n{_when(part)}\n"])


def _load(part: dict[str, Any]) -> str:
    found = part["found"]["kcnn"]
    lines = [
        "**Load.** What a process uses more at the end than after the warm-up, a fifth of the way. "
        "Predictions come from eight threads. Rows that begin with Keras do the same without "
        "kcnn.\n",
    ]
    rows = [
        (
            name,
            f"{found['count'][name]:,}",
            f"{more['memory'] / _MB:+.1f} MB",
            f"{more['handles']:+}",
            f"{more['threads']:+}",
        )
        for name, more in found["growth"].items()
    ]
    lines.append(markdown_table(("", "times", "memory", "open files", "threads"), rows))
    return "\n".join([*lines, f"\n{_when(part)}\n"])


def _when(part: dict[str, Any]) -> str:
    machine = part["hardware"]
    verdict = "All promises held." if part["held"] else "**Not all promises held.**"
    return (
        f"{verdict} {part['minutes']:g} minutes on {machine['cores']} cores of "
        f"{machine['processor']}, {part['date'][:10]}."
    )


def _checkpoints() -> str:
    found = json.loads(CHECKPOINTS.read_text())
    epochs = len(found["without"])
    loads = " and ".join(f"{value:.1f}" for value in found["load"])
    return (
        f"`{found['model']}` on CIFAR-10, {found['hardware']['cores']} cores of "
        f"{found['hardware']['processor']}: a save of the state ({found['state_bytes'] / _MB:.1f} "
        f"MB) takes {1000 * found['save_seconds']:.0f} ms. One at the end of every epoch of "
        f"{found['real_steps']} steps costs **{found['overhead']:.2%}** of the training time, "
        f"one every 100 steps besides (`train.checkpoint_steps=100`) "
        f"**{found['overhead_100_steps']:.2%}**. Measured in {epochs} epochs with and {epochs} "
        f"without, in turns, of {found['steps']} steps with {found['saves']} saves each; load "
        f"average of the machine {loads}, {found['date'][:10]}.\n"
    )


_PARTS = {"kills": _kills, "damaged_files": _damaged_files, "faults": _faults, "load": _load}
_SECTIONS = {"campaign": _campaign, "checkpoints": _checkpoints}


if __name__ == "__main__":
    PAGE.write_text(update(PAGE.read_text()))
