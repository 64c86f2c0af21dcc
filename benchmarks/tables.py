"""The results as tables, for Markdown and for the terminal."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.results import Entry, Part, Race, Results, ratios, spread

_MIB = 1 << 20


@dataclass(frozen=True)
class Table:
    """A table of text, the first column aligned to the left."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table as Markdown below its title."""
        lines = [self.header, ("---", *["---:"] * (len(self.header) - 1)), *self.rows]
        return f"{self.title}\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def updated(text: str, results: Results) -> str:
    """Return the text of RESULTS.md with every part between its markers made anew.

    A part stands between `<!-- part NAME -->` and `<!-- end -->`; what is around is kept.
    """
    return re.sub(
        r"(<!-- part (\w+) -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{_section(match[2], results)}{match[3]}",
        text,
        flags=re.DOTALL,
    )


def tables(name: str, results: Results) -> list[Table]:
    """Return the tables of one part."""
    return list(_TABLES[name](results)) if name in results else []


def _section(name: str, results: Results) -> str:
    if name not in results:
        return "Not measured yet.\n"
    found = [table.markdown() for table in tables(name, results)] or ["Nothing was found."]
    return "\n\n".join([*found, *_remarks(results[name]), receipt(results[name])]) + "\n"


def receipt(part: Part) -> str:
    """Return where, when and with what a part was measured, in one paragraph."""
    machine = part.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    commit = f", commit {machine.git_commit[:7]}" if machine.git_commit else ""
    settings = ", ".join(f"{key.replace('_', ' ')} {each:g}" for key, each in part.settings.items())
    return (
        f"{machine.processor}, {machine.cores} cores ({', '.join(machine.flags) or 'no flags'}), "
        f"{machine.system}; {machine.date} UTC{commit}; {versions}; {settings}."
    )


def _remarks(part: Part) -> list[str]:
    """Return who was left out or failed, a line each."""
    lines = {
        f"Left out: {name}, for {why}."
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
    """Return what a race was about, in a few words."""
    named = (
        f"{key} {race.facts[key]}"
        for key in ("model", "batch", "threads", "kind")
        if key in race.facts
    )
    return ", ".join(named) or race.unit


def title(entry: Entry, race: Race) -> str:
    """Return a contestant's name, with its precision where others have another one."""
    mixed = len({each.precision for each in race.entries}) > 1
    return f"{entry.contestant}, {entry.precision}" if mixed else entry.contestant


def number(values: Sequence[float], form: str = ",.0f") -> str:
    """Return the median and, in brackets, the smallest and the largest value.

    >>> number([1000.0, 990.0, 1200.0])
    '1,000 (990–1,200)'
    """
    if not values:
        return "–"
    middle, least, most = (format(value, form) for value in spread(values))
    return middle if len(values) == 1 else f"{middle} ({least}–{most})"


def factor(values: Sequence[float], others: Sequence[float]) -> str:
    """Return the median of the ratios of each round, with their spread."""
    return number(ratios(values, others), ".2f")


def _speeds(race: Race) -> Iterator[tuple[str, ...]]:
    """Yield each contestant, its speed, and the first one's speed divided by that."""
    for entry in race.entries:
        yield (
            title(entry, race),
            number(entry.values),
            "1" if entry is race.entries[0] else factor(race.entries[0].values, entry.values),
        )


def _fit(results: Results) -> Iterator[Table]:
    part = results["fit"]
    limits = {race.facts["precision"]: race.entries[0] for race in part.races if _is_limit(race)}
    rows, distance = [], []
    for race in part.races:
        if _is_limit(race) or not race.entries:
            continue
        name = f"{race.facts['model']}, batch {race.facts['batch']}"
        rows += [
            (name, *cells, _memory(entry))
            for cells, entry in zip(_speeds(race), race.entries, strict=True)
        ]
        distance += [_distance(name, entry, race, limits) for entry in race.entries]
    yield Table(
        "**`fit`, images/s**, augmentation included; kcnn's speed divided by each one's, round by "
        "round; and the most memory each process held.",
        ("network", "contestant", "images/s", "kcnn is faster by", "peak memory"),
        tuple(rows),
    )
    yield Table(
        "**The distance to the limit**: 6 FLOPs for each multiply-accumulate of the forward pass, "
        "beside what a large matrix product reaches here in the same precision.",
        ("network", "contestant", "GFLOP/s", "matrix product, GFLOP/s", "share"),
        tuple(distance),
    )


def _is_limit(race: Race) -> bool:
    return race.facts.get("kind") == "limit"


def _memory(entry: Entry) -> str:
    peak = entry.facts.get("peak_bytes")
    return f"{peak / _MIB:,.0f} MiB" if peak else "–"


def flops(entry: Entry, race: Race) -> list[float]:
    """Return the FLOP/s of a training: forward, and twice that backward, two for each MAC."""
    return [value * 3 * 2 * race.facts["macs"] for value in entry.values]


def _distance(name: str, entry: Entry, race: Race, limits: dict[str, Entry]) -> tuple[str, ...]:
    limit = limits.get(entry.precision)
    if limit is None or not limit.values or not entry.values:
        return (name, title(entry, race), "–", "–", "–")
    reached, highest = spread(flops(entry, race))[0], spread(limit.values)[0]
    return (
        name,
        title(entry, race),
        f"{reached / 1e9:,.0f}",
        f"{highest / 1e9:,.0f}",
        f"{reached / highest:.1%}",
    )


def _pipeline(results: Results) -> Iterator[Table]:
    for race in results["pipeline"].races:
        rows = tuple(_speeds(race))
        shares = _shares(race, results)
        yield Table(
            f"**The input pipeline alone, images/s**, batch {race.facts['batch']}; and the time "
            "for a batch as a share of kcnn's training step, as far as that was measured.",
            ("pipeline", "images/s", "kcnn is faster by", *(name for name, _ in shares)),
            tuple(
                (*cells, *(_share(speed, entry) for _, speed in shares))
                for cells, entry in zip(rows, race.entries, strict=True)
            ),
        )


def _shares(race: Race, results: Results) -> list[tuple[str, float]]:
    """Return the models and how many images a second kcnn trains of each on as many cores."""
    found = []
    for other in results["fit"].races if "fit" in results else ():
        entry = other.of("kcnn")
        if entry and entry.values and other.facts["threads"] == race.facts["threads"]:
            found.append((f"of {other.facts['model']}", spread(entry.values)[0]))
    return found


def _share(speed: float, entry: Entry) -> str:
    return f"{speed / spread(entry.values)[0]:.1%}" if entry.values else "–"


def _start_up(results: Results) -> Iterator[Table]:
    commands, steps = results["startup"].races
    yield Table(
        "**Start-up, seconds**, each in fresh processes.",
        ("command", "seconds"),
        tuple((title(each, commands), number(each.values, ".2f")) for each in commands.entries),
    )
    yield Table(
        f"**From the start of the process to the end of the first training step, seconds**, "
        f"{steps.facts['model']}: imports, reading the images, building, tracing and the step.",
        ("contestant", "seconds"),
        tuple((title(each, steps), number(each.values, ".1f")) for each in steps.entries),
    )


def _scaling(results: Results) -> Iterator[Table]:
    rows = []
    for race in results["scaling"].races:
        place = (f"{race.facts['threads']}", f"{race.facts['batch']}")
        rows += [(cells[0], *place, *cells[1:]) for cells in _speeds(race)]
    model = results["scaling"].races[0].facts["model"]
    yield Table(
        f"**`fit` of {model} on fewer cores and with other batches, images/s**.",
        ("contestant", "cores", "batch", "images/s", "kcnn is faster by"),
        tuple(rows),
    )


def _ladder(results: Results) -> Iterator[Table]:
    rows, model = [], results["ladder"].races[0].facts["model"]
    for race in results["ladder"].races:
        base = race.entries[0].contestant
        rows += [
            (entry.contestant, "" if entry.contestant == base else base, *cells[1:])
            for entry, cells in zip(race.entries, _speeds(race), strict=True)
        ]
    yield Table(
        f"**What each change bought**: kcnn on {model} with one thing changed, images/s, and the "
        "speed of what it is compared with divided by its own. Above 1: kcnn's way is faster.",
        ("changed", "compared with", "images/s", "that is faster by"),
        tuple(rows),
    )


def _runs(results: Results) -> Iterator[Table]:
    for race in results["runs"].races:
        scores = list(
            dict.fromkeys(
                key for entry in race.entries for key in entry.facts if key.startswith("float")
            )
        )
        rows = [
            (
                f"{entry.contestant}, seed {entry.facts['seed']}",
                f"{entry.values[0]:,.0f}",
                *(f"{entry.facts[key]:.2%}" if key in entry.facts else "–" for key in scores),
                entry.facts["processor"],
            )
            for entry in race.entries
        ]
        if len(rows) > 1:
            means = [
                [entry.facts[key] for entry in race.entries if key in entry.facts] for key in scores
            ]
            seconds = number([entry.values[0] for entry in race.entries])
            rows.append(
                (
                    f"all {len(rows)}",
                    seconds,
                    *(f"{sum(each) / len(each):.2%}" for each in means),
                    "",
                )
            )
        yield Table(
            f"**`{race.facts['model']}`**: seconds of training, and test accuracy, each run's and "
            "their mean.",
            ("run", "seconds", *scores, "processor"),
            tuple(rows),
        )


_TABLES: dict[str, Callable[[Results], Iterator[Table]]] = {
    "fit": _fit,
    "pipeline": _pipeline,
    "startup": _start_up,
    "scaling": _scaling,
    "ladder": _ladder,
    "runs": _runs,
}
