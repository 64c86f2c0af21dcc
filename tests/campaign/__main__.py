"""Run the campaign and write its figures: `python -m tests.campaign --minutes 60`."""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kcnn.provenance import git_commit, hardware, timestamp, versions
from kcnn.run_dir import atomic
from tests.campaign import faults, kills, load, mutations
from tests.campaign.loaders import LOADERS

# Each with its share of the kills and of the time that are left; a training on TensorFlow takes
# several times as long to start.
BACKENDS = {"tensorflow": 0.3, "jax": 1.0}
Found = dict[str, Any]
"""What came of a part, by backend, kind of file or whatever it tries: dataclasses."""


def _faults(given: argparse.Namespace, seconds: float) -> Found:
    return {"kcnn": faults.run()}


def _load(given: argparse.Namespace, seconds: float) -> Found:
    return {"kcnn": load.run()}


def _damaged_files(given: argparse.Namespace, seconds: float) -> Found:
    return mutations.run(given.files, seconds, given.kind or LOADERS)


def _kills(given: argparse.Namespace, seconds: float) -> Found:
    found, done = {}, 0
    for backend in [given.backend] if given.backend else BACKENDS:
        share = 1.0 if given.backend else BACKENDS[backend]
        count = round(share * (given.kills - done))
        found[backend] = kills.run(count, share * seconds, backend, given.seed)
        done += found[backend].kills
        seconds -= found[backend].seconds
    if given.add:
        for backend, before in _report(given)["kills"]["found"].items():
            found.setdefault(backend, kills.Kills()).add(kills.Kills(**before))
    return found


def _report(given: argparse.Namespace) -> dict[str, Any]:
    return json.loads(given.out.read_text()) if given.out.is_file() else {}


# In this order, each with its share of the time that is left; the first two take as long as they
# take.
PARTS: dict[str, tuple[Callable[[argparse.Namespace, float], Found], float]] = {
    "faults": (_faults, 0.0),
    "load": (_load, 0.0),
    "damaged_files": (_damaged_files, 0.5),
    "kills": (_kills, 1.0),
}


def main() -> int:
    """Return 0 if every promise held."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; or all")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long it may take")
    parser.add_argument("--kills", type=int, default=1000, help="how many trainings to kill")
    parser.add_argument(
        "--files", type=int, default=100_000, help="how many damaged files of each kind to read"
    )
    parser.add_argument(
        "--kind",
        action="append",
        choices=list(LOADERS),
        metavar="KIND",
        help="damage files of this kind only, as often as given; the figures of others stay",
    )
    parser.add_argument("--backend", choices=list(BACKENDS), help="kill on one backend only")
    parser.add_argument("--seed", type=int, default=0, help="decides when trainings are killed")
    parser.add_argument(
        "--add", action="store_true", help="count the kills with those of an earlier campaign"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/campaign.json"))
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    chosen = [name for name in PARTS if name in (given.parts or PARTS)]
    end, held = time.monotonic() + 60 * given.minutes, True
    for name in chosen:
        run, share = PARTS[name]
        begun = time.monotonic()
        found = run(given, (end - begun) * (1.0 if name == chosen[-1] else share))
        # Read only now: another campaign may have written meanwhile.
        report = _report(given)
        held = _put(report, name, found, begun, keep=bool(given.kind or given.add)) and held
        with atomic(given.out) as temporary:
            temporary.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if held else 1


def _put(report: dict[str, Any], name: str, found: Found, begun: float, *, keep: bool) -> bool:
    """Put what came of a part into the report; `keep` says whether what was not tried stays."""
    minutes = (time.monotonic() - begun) / 60
    before = report.get(name, {}) if keep else {}
    kept = {what: each for what, each in before.get("found", {}).items() if what not in found}
    held = all(each.held for each in found.values())
    report[name] = {
        "found": kept | {what: dataclasses.asdict(each) for what, each in found.items()},
        "held": held and not any(each.get("failed") for each in kept.values()),
        "date": timestamp(),
        "commit": git_commit(__file__),
        "commits_before": _commits(before),
        "minutes": round(before.get("minutes", 0.0) + minutes, 1),
        "hardware": hardware(),
        "versions": versions(("kcnn", "tensorflow", "keras", "jax", "ai-edge-litert", "numpy")),
    }
    sys.stdout.write(f"{name}: {'held' if held else 'NOT HELD'}\n{json.dumps(report[name])}\n")
    sys.stdout.flush()
    return held


def _commits(before: dict[str, Any]) -> list[str]:
    """Return the commits on which figures that stay were found."""
    return [*before.get("commits_before", []), before["commit"]] if before else []


if __name__ == "__main__":
    raise SystemExit(main())
