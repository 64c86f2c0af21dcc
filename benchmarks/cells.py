"""Pieces that all tables of results share: numbers with their spread, names, receipts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.results import Entry, Part, Race, ratios, spread
from kcnn.report.markdown_table import markdown_table


@dataclass(frozen=True)
class Table:
    """A table of text; its first `names` columns are left-aligned."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1

    def markdown(self) -> str:
        """Return the title and the table in Markdown."""
        table = markdown_table(self.header, self.rows, left=range(self.names))
        return f"{self.title}\n\n{table}"


def receipt(part: Part) -> str:
    """Return one paragraph: where, when and with which versions a part was measured."""
    machine = part.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    commit = f", commit {machine.git_commit[:7]}" if machine.git_commit else ""
    settings = ", ".join(f"{key.replace('_', ' ')} {each:g}" for key, each in part.settings.items())
    return f"{machine.title}, {machine.system}; {machine.date} UTC{commit}; {versions}; {settings}."


def remarks(part: Part) -> list[str]:
    """Return one line for each contestant that was left out or failed."""
    lines = {
        f"Left out: {name}, because {why}."
        for race in part.races
        for name, why in race.left_out.items()
    }
    lines |= {
        f"Failed: {entry.contestant} ({where(race)}): {entry.error}."
        for race in part.races
        for entry in race.entries
        if entry.error
    }
    return sorted(lines)


def where(race: Race) -> str:
    """Return the facts that tell a race from others: model, batch, threads."""
    named = (
        f"{key} {race.facts[key]}"
        for key in ("model", "batch", "threads", "kind")
        if key in race.facts
    )
    return ", ".join(named) or race.unit


def title(entry: Entry, race: Race) -> str:
    """Return a contestant's name, with its precision if the race has several."""
    mixed = len({each.precision for each in race.entries}) > 1
    return f"{entry.contestant}, {entry.precision}" if mixed else entry.contestant


def number(values: Sequence[float], spec: str = ",.0f") -> str:
    """Return the median, with the smallest and the largest value in brackets.

    >>> number([1000.0, 990.0, 1200.0])
    '1,000 (990–1,200)'
    """
    if not values:
        return "–"
    median, least, most = (format(value, spec) for value in spread(values))
    return median if len(values) == 1 else f"{median} ({least}–{most})"


def factor(values: Sequence[float], others: Sequence[float]) -> str:
    """Return the median ratio of the rounds, with the smallest and the largest in brackets."""
    return number(ratios(values, others), ".2f")


def speeds(race: Race) -> Iterator[tuple[str, ...]]:
    """Yield each contestant, its speed, and the first contestant's speed divided by it."""
    for entry in race.entries:
        yield (
            title(entry, race),
            number(entry.values),
            "" if entry is race.entries[0] else factor(race.entries[0].values, entry.values),
        )
