"""The figures of scaling: `docs/scaling.json`."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.race import ROOT, environment
from benchmarks.results import Machine
from kcnn.run_dir import atomic

FILE = ROOT / "docs/scaling.json"

Figures = dict[str, Any]


def keep(part: str, figures: Figures, file: Path = FILE) -> None:
    """Put the figures of a part into the file, with the machine and the time."""
    known = json.loads(file.read_text()) if file.is_file() else {}
    known[part] = {"machine": asdict(Machine.here()), **figures}
    with atomic(file) as temporary:
        temporary.write_text(json.dumps(known, indent=1) + "\n")


def start(module: str, job: Mapping[str, Any], **variables: str) -> subprocess.Popen:
    """Start a measurement in a process of its own."""
    command = [sys.executable, "-m", module, "--job", json.dumps(job)]
    return subprocess.Popen(
        command, env=environment() | variables, stdout=subprocess.PIPE, text=True
    )


def end(process: subprocess.Popen) -> Figures:
    """Return what a measurement has found.

    Raises:
        RuntimeError: It failed.
    """
    said = process.communicate()[0].strip()
    if process.returncode:
        raise RuntimeError(f"A measurement ended with status {process.returncode}: {said[-300:]}")
    return json.loads(said.splitlines()[-1]) if said else {}
