"""What the benchmarks leave behind: numbers, and on which machine and with what they came about."""

import dataclasses
import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import TypeAdapter

from kcnn.provenance import git_commit, hardware, timestamp
from kcnn.report import json_files
from kcnn.run_dir import atomic

PACKAGES = ("tensorflow", "keras", "tf-keras", "torch", "numpy")

# What decides how fast matrices are multiplied, as Linux calls it.
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")

Fact = str | int | float


@dataclass(frozen=True)
class Entry:
    """What one contestant did in one race.

    Attributes:
        contestant: its name.
        values: one number a round, in the unit of the race.
        precision: "float32" or "bfloat16"; "" where it does not apply.
        facts: what else was seen, such as `peak_bytes`.
        error: why there are no values, or not all of them.
    """

    contestant: str
    values: tuple[float, ...] = ()
    precision: str = ""
    facts: dict[str, Fact] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class Race:
    """Contestants that took turns at the same work: their `values` of one round go together.

    Attributes:
        unit: of the values, such as "images/s".
        entries: those that began.
        facts: what was the same for all: `model`, `batch`, `threads`, `macs`, ...
        left_out: those that could not begin, and why.
    """

    unit: str
    entries: tuple[Entry, ...]
    facts: dict[str, Fact] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def of(self, contestant: str, precision: str | None = None) -> Entry | None:
        """Return what a contestant did; without a precision, what it did first."""
        for entry in self.entries:
            if entry.contestant == contestant and precision in (None, entry.precision):
                return entry
        return None


@dataclass(frozen=True)
class Machine:
    """Where, when and with what a part was measured."""

    processor: str
    cores: int
    system: str
    flags: tuple[str, ...]
    versions: dict[str, str]
    git_commit: str | None
    date: str

    @classmethod
    def here(cls) -> "Machine":
        """Return this machine, now."""
        return cls(
            **hardware(),
            flags=processor_flags(),
            versions=_versions(),
            git_commit=git_commit(__file__),
            date=timestamp(),
        )


@dataclass(frozen=True)
class Part:
    """One part of the benchmarks: races on one machine, at one time."""

    machine: Machine
    races: tuple[Race, ...]
    settings: dict[str, Fact] = field(default_factory=dict)


Results = dict[str, Part]
"""The parts by their names."""

_RESULTS = TypeAdapter(Results)


def load(path: str | os.PathLike) -> Results:
    """Read `results.json`.

    Raises:
        ValueError: there is none, or it is of another version.
    """
    return json_files.read(_RESULTS, path, "benchmark results")


def save(results: Mapping[str, Part], path: str | os.PathLike) -> None:
    """Write `results.json`."""
    with atomic(path) as temporary:
        parts = {name: dataclasses.asdict(part) for name, part in results.items()}
        temporary.write_text(json.dumps(parts, indent=1) + "\n")


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return `values` divided by `others` of the same round.

    What slows the whole machine down for some seconds hits both sides of such a ratio alike; the
    ratio of two medians may compare a quiet moment with a busy one.

    >>> ratios([200.0, 100.0], [100.0, 50.0])
    [2.0, 2.0]
    """
    return [value / other for value, other in zip(values, others, strict=False)]


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the median, the smallest and the largest of the values.

    >>> spread([3.0, 1.0, 2.0])
    (2.0, 1.0, 3.0)
    """
    return statistics.median(values), min(values), max(values)


def processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Return which of the instruction sets for matrix products the processor has.

    Empty where the system does not say.
    """
    if not cpuinfo.is_file():
        return ()
    lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")]
    known = set(lines[0].split()) if lines else set()
    return tuple(flag for flag in _FLAGS if flag in known)


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # an extra
    return found
