"""Run the campaign and write its figures: `python -m tests.campaign --minutes 60`."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from kcnn.provenance import git_commit, hardware, timestamp, versions
from tests.campaign import kills


def main() -> int:
    """Return 0 if every promise held."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long it may take")
    parser.add_argument("--kills", type=int, default=1000, help="how many trainings to kill")
    parser.add_argument("--out", type=Path, default=Path("docs/campaign.json"))
    given = parser.parse_args()
    found = kills.run(given.kills, 60 * given.minutes)
    report = {
        "kills": dataclasses.asdict(found),
        "date": timestamp(),
        "commit": git_commit(__file__),
        "hardware": hardware(),
        "versions": versions(),
    }
    given.out.write_text(json.dumps(report, indent=2) + "\n")
    sys.stdout.write(json.dumps(report["kills"]) + "\n")
    return 1 if found.unreadable or found.different else 0


if __name__ == "__main__":
    raise SystemExit(main())
