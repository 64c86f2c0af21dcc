"""Run the campaign and write its figures: `python -m tests.campaign --minutes 60`."""

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path

from kcnn.provenance import git_commit, hardware, timestamp, versions
from tests.campaign import kills, mutations

BACKENDS = ("tensorflow", "jax")


def main() -> int:
    """Return 0 if every promise held."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long it may take")
    parser.add_argument("--kills", type=int, default=1000, help="how many trainings to kill")
    parser.add_argument(
        "--files", type=int, default=100_000, help="how many damaged files of each kind to read"
    )
    parser.add_argument("--backend", choices=BACKENDS, help="kill on one backend only")
    parser.add_argument("--out", type=Path, default=Path("docs/campaign.json"))
    given = parser.parse_args()
    backends = [given.backend] if given.backend else BACKENDS
    end = time.monotonic() + 60 * given.minutes
    damaged = mutations.run(given.files, 60 * given.minutes / (2 if given.kills else 1))
    share, seconds = len(backends), end - time.monotonic()
    killed = {each: kills.run(given.kills // share, seconds / share, each) for each in backends}
    report = {
        "kills": {backend: dataclasses.asdict(found) for backend, found in killed.items()},
        "damaged_files": {name: dataclasses.asdict(found) for name, found in damaged.items()},
        "date": timestamp(),
        "commit": git_commit(__file__),
        "hardware": hardware(),
        "versions": versions(),
    }
    given.out.write_text(json.dumps(report, indent=2) + "\n")
    sys.stdout.write(json.dumps(report["kills"]) + "\n")
    for name, each in damaged.items():
        counts = f"{each.files:,} files, {each.refused:,} refused, {each.loaded:,} read"
        sys.stdout.write(f"{name}: {counts}, {each.failed} failures\n")
    held = [
        *(each.held for each in killed.values()),
        *(not each.failed for each in damaged.values()),
    ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    raise SystemExit(main())
