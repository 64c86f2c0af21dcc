"""The results of the benchmarks: numbers, with the machine and the versions they belong to."""

import dataclasses
import json
import os
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from kcnn.provenance import (
    git_commit,
    hardware,
    processor_family,
    processor_flags,
    processor_name,
    timestamp,
    versions,
    with_family,
)
from kcnn.report import json_files
from kcnn.run_dir import atomic

PACKAGES = ("tensorflow", "keras", "tf-keras", "torch", "jax", "numpy")

# Instruction sets that decide how fast matrices are multiplied, by their names in Linux.
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")

Fact = str | int | float


@dataclass(frozen=True)
class Entry:
    """The result of one contestant in one race.

    Attributes:
        contestant: its name.
        values: one number for each round, in the unit of the race.
        precision: "float32" or "bfloat16"; "" where it does not apply.
        facts: other observations, such as `peak_bytes`.
        error: why values are missing.
    """

    contestant: str
    values: tuple[float, ...] = ()
    precision: str = ""
    facts: dict[str, Fact] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class Race:
    """Contestants that took turns at the same work, so that values of one round can be compared.

    Attributes:
        unit: the unit of the values, such as "images/s".
        entries: the contestants that started.
        facts: what was the same for all: `model`, `batch`, `threads`, `macs`, ...
        left_out: the contestants that could not start, and why.
    """

    unit: str
    entries: tuple[Entry, ...]
    facts: dict[str, Fact] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def entry(self, contestant: str, precision: str | None = None) -> Entry | None:
        """Return the entry of a contestant; its first one if no precision is given."""
        for entry in self.entries:
            if entry.contestant == contestant and precision in (None, entry.precision):
                return entry
        return None


@dataclass(frozen=True)
class Machine:
    """Where, when and with which versions a part was measured."""

    processor: str
    cores: int
    system: str
    flags: tuple[str, ...]
    versions: dict[str, str]
    git_commit: str | None
    date: str
    family: str = ""

    @classmethod
    def here(cls) -> "Machine":
        """Return this machine, now."""
        here, found = hardware(), processor_flags()
        return cls(
            processor=processor_name(),
            cores=int(here["cores"]),
            system=str(here["system"]),
            flags=tuple(flag for flag in _FLAGS if flag in found),
            versions=versions(PACKAGES),
            git_commit=git_commit(__file__),
            date=timestamp(),
            family=processor_family(),
        )

    @property
    def slug(self) -> str:
        """Its name as a file: the processor, its family, what it has for bfloat16, and the cores.

        >>> Machine("AMD EPYC", 2, "Linux", ("avx2", "avx512_bf16"), {}, None, "").slug
        'amd-epyc-avx512-bf16-2-cores'
        """
        units = [flag for flag in self.flags if flag.endswith("bf16")]
        words = [self.processor.lower(), self.family, *units, f"{self.cores} cores"]
        return re.sub(r"[^a-z0-9]+", "-", " ".join(filter(None, words)))

    @property
    def name(self) -> str:
        """The processor as `kcnn.provenance.hardware` names it."""
        return with_family(self.processor, self.family)

    @property
    def title(self) -> str:
        """The processor and its cores, in words."""
        return f"{self.name}, {self.cores} cores ({', '.join(self.flags) or 'no flags'})"


@dataclass(frozen=True)
class Part:
    """One part of the benchmarks: races on one machine at one time."""

    machine: Machine
    races: tuple[Race, ...]
    settings: dict[str, Fact] = field(default_factory=dict)


# The parts by their names.
Results = dict[str, Part]

_RESULTS = TypeAdapter(Results)


def load(path: str | os.PathLike) -> Results:
    """Read the results of a machine.

    Raises:
        ValueError: the file is missing, or of another version.
    """
    return json_files.read(_RESULTS, path, "benchmark results")


def load_all(folder: Path) -> list[Results]:
    """Read the results of every machine in a folder, in the order of the files' names."""
    return [load(file) for file in sorted(folder.glob("*.json"))]


def save(results: Mapping[str, Part], path: str | os.PathLike) -> None:
    """Write the results of a machine."""
    with atomic(path) as temporary:
        parts = {name: dataclasses.asdict(part) for name, part in results.items()}
        temporary.write_text(json.dumps(parts, indent=1) + "\n")


def added(part: Part, apart: Part) -> Part:
    """Return a part with what was measured of some networks or contestants, at another time.

    An entry replaces the earlier one of the same contestant in the same race, and has the date
    among its facts.
    """
    races = list(part.races)
    for race in apart.races:
        date = {"measured": apart.machine.date}
        entries = [
            dataclasses.replace(each, facts=each.facts | date)
            for each in race.entries
            if each.values
        ]
        place = next((i for i, each in enumerate(races) if each.facts == race.facts), None)
        if place is None:
            races.append(dataclasses.replace(race, entries=tuple(entries)))
            continue
        new = {(each.contestant, each.precision): each for each in entries}
        kept = [new.pop((each.contestant, each.precision), each) for each in races[place].entries]
        races[place] = dataclasses.replace(races[place], entries=(*kept, *new.values()))
    return dataclasses.replace(part, races=tuple(races))


def fastest(
    race: Race, contestant: str | None = None, *, besides: str | None = None
) -> Entry | None:
    """Return the entry with the highest median, of one contestant or of all but one."""
    found = [
        entry
        for entry in race.entries
        if entry.values and contestant in (None, entry.contestant) and entry.contestant != besides
    ]
    return max(found, key=lambda entry: spread(entry.values)[0], default=None)


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return `values` divided by `others` of the same round.

    Something that slows the machine down for a few seconds slows both sides of such a ratio down.
    The ratio of two medians could compare a quiet moment with a busy one.

    >>> ratios([200.0, 100.0], [100.0, 50.0])
    [2.0, 2.0]
    """
    return [value / other for value, other in zip(values, others, strict=False)]


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the median, the smallest and the largest value.

    >>> spread([3.0, 1.0, 2.0])
    (2.0, 1.0, 3.0)
    """
    return statistics.median(values), min(values), max(values)
