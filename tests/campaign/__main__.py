"""Run the campaign and write its figures: `python -m tests.campaign --minutes 60`."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from kcnn.provenance import git_commit, hardware, timestamp, versions
from tests.campaign import kills

BACKENDS = ("tensorflow", "jax")


def main() -> int:
    """Return 0 if every promise held."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long it may take")
    parser.add_argument("--kills", type=int, default=1000, help="how many trainings to kill")
    parser.add_argument("--backend", choices=BACKENDS, help="kill on one backend only")
    parser.add_argument("--out", type=Path, default=Path("docs/campaign.json"))
    given = parser.parse_args()
    backends = [given.backend] if given.backend else BACKENDS
    share, seconds = len(backends), 60 * given.minutes
    killed = {each: kills.run(given.kills // share, seconds / share, each) for each in backends}
    report = {
        "kills": {backend: dataclasses.asdict(found) for backend, found in killed.items()},
        "date": timestamp(),
        "commit": git_commit(__file__),
        "hardware": hardware(),
        "versions": versions(),
    }
    given.out.write_text(json.dumps(report, indent=2) + "\n")
    sys.stdout.write(json.dumps(report["kills"]) + "\n")
    return 0 if all(found.held for found in killed.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
