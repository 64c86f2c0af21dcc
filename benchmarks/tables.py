"""The results as tables, for Markdown and for the terminal."""

import re
from collections.abc import Callable, Iterator, Sequence

from benchmarks import bars
from benchmarks.cells import Table, factor, number, receipt, remarks, speeds, title
from benchmarks.limits import Limits, flops, is_limit, limits_of, shares, traffic
from benchmarks.results import Entry, Race, Results, fastest, spread
from benchmarks.trained import run_table

_MIB = 1 << 20


def updated(text: str, machines: Sequence[Results]) -> str:
    """Return the text of RESULTS.md with the text of every part replaced.

    A part stands between `<!-- part NAME -->` and `<!-- end -->`; the text around it is kept. Part
    "bars" is the table of goals. The results of several machines follow each other.
    """
    return re.sub(
        r"(<!-- part (\w+) -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{_section(match[2], machines)}{match[3]}",
        text,
        flags=re.DOTALL,
    )


def tables(name: str, results: Results) -> list[Table]:
    """Return the tables of one part."""
    return list(_TABLES[name](results)) if name in results else []


def _section(name: str, machines: Sequence[Results]) -> str:
    measured = [each for results in machines for each in _paragraphs(name, results)]
    return "\n\n".join(measured or ["Not measured yet."]) + "\n"


def _paragraphs(name: str, results: Results) -> Iterator[str]:
    """Yield what is to be said of a part on one machine, nothing if it was not measured there."""
    if name == "bars" and bars.PARTS <= results.keys():
        yield f"### {results['fit'].machine.title}"
        yield bars.table(results).markdown()
    if name in results:
        part = results[name]
        yield f"### {part.machine.title}"
        yield from [table.markdown() for table in tables(name, results)] or ["Nothing was found."]
        yield from [*remarks(part), receipt(part)]


def _fit(results: Results) -> Iterator[Table]:
    part = results["fit"]
    limits = limits_of(part)
    rows, distance = [], []
    for race in part.races:
        if is_limit(race):
            continue
        name = f"{race.facts['model']}, batch {race.facts['batch']}"
        for entry in race.entries:
            behind = _behind(entry, race)
            cells = (title(entry, race), number(entry.values), behind, _rival(entry, race))
            rows.append((name, *cells, _memory(entry)))
            distance.append(_distance(name, entry, race, limits))
    yield Table(
        "**`fit`, images/s**, augmentation included; the speed of kcnn in its faster precision "
        "divided by that of each contestant, round by round; the speed of kcnn in each precision "
        "divided by that of the fastest rival in any; and the peak memory of each process.",
        ("network", "contestant", "images/s", "kcnn is faster by", "than the best", "peak memory"),
        tuple(rows),
        names=2,
    )
    memory = f"{limits.bandwidth / 1e9:,.1f} GB/s" if limits.bandwidth else "not measured"
    yield Table(
        "**The distance to the limits**: 6 FLOPs for each multiply-accumulate of the forward pass, "
        f"compared with the fastest large operation ({', '.join(limits.operations)}) in the same "
        "precision; and the bytes that the step moves if each layer reads and writes each of its "
        f"tensors once, compared with an addition of large vectors ({memory}).",
        ("network", "contestant", "GFLOP/s", "limit", "share", "GB/s", "share"),
        tuple(distance),
        names=2,
    )


def _behind(entry: Entry, race: Race) -> str:
    """Return the speed of kcnn, in its faster precision, divided by that of a rival."""
    ours = fastest(race, "kcnn")
    return factor(ours.values, entry.values) if ours and entry.contestant != "kcnn" else ""


def _rival(entry: Entry, race: Race) -> str:
    rival = fastest(race, besides="kcnn")
    if entry.contestant != "kcnn" or rival is None:
        return ""
    return factor(entry.values, rival.values)


def _memory(entry: Entry) -> str:
    peak = entry.facts.get("peak_bytes")
    return f"{float(peak) / _MIB:,.0f} MiB" if peak else "–"


def _distance(name: str, entry: Entry, race: Race, limits: Limits) -> tuple[str, ...]:
    share = shares(entry, race, limits)
    if not share:
        return (name, title(entry, race), *("–",) * 5)
    moved = traffic(entry, race)
    return (
        name,
        title(entry, race),
        f"{flops(entry, race) / 1e9:,.0f}",
        f"{limits.flops[entry.precision] / 1e9:,.0f}",
        f"{share[0]:.1%}",
        f"{moved / 1e9:,.1f}" if moved is not None else "–",
        f"{share[1]:.1%}" if len(share) > 1 else "–",
    )


def _pipeline(results: Results) -> Iterator[Table]:
    for race in results["pipeline"].races:
        rows = tuple(speeds(race))
        shares = _shares(race, results)
        yield Table(
            f"**The input pipeline alone, images/s**, batch {race.facts['batch']}; and the time "
            "for a batch as a share of kcnn's training step, where that was measured.",
            ("pipeline", "images/s", "kcnn is faster by", *(name for name, _ in shares)),
            tuple(
                (*cells, *(_share(speed, entry) for _, speed in shares))
                for cells, entry in zip(rows, race.entries, strict=True)
            ),
        )


def _shares(race: Race, results: Results) -> list[tuple[str, float]]:
    """Return for each model how many images/s kcnn trains on the same number of cores."""
    found = []
    for other in results["fit"].races if "fit" in results else ():
        entry = fastest(other, "kcnn")
        if entry and other.facts["threads"] == race.facts["threads"]:
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
        rows += [
            (title(each, race), *place, number(each.values), _behind(each, race))
            for each in race.entries
        ]
    model = results["scaling"].races[0].facts["model"]
    yield Table(
        f"**`fit` of {model} on fewer cores and with other batches, images/s**; the speed of kcnn "
        "in its faster precision divided by that of each contestant.",
        ("contestant", "cores", "batch", "images/s", "kcnn is faster by"),
        tuple(rows),
    )


def _ladder(results: Results) -> Iterator[Table]:
    rows, races = [], results["ladder"].races
    several = len({entry.precision for race in races for entry in race.entries}) > 1
    for race in races:
        base = race.entries[0].contestant if race.entries else ""
        rows += [
            (
                f"{race.facts['model']}, {entry.precision}" if several else race.facts["model"],
                entry.contestant,
                "" if entry.contestant == base else base,
                *cells[1:],
            )
            for entry, cells in zip(race.entries, speeds(race), strict=True)
        ]
    yield Table(
        "**What each optimization is worth**: kcnn with one change, images/s, and the speed of the "
        "reference divided by that. Above 1 the reference is faster.",
        ("network", "change", "reference", "images/s", "reference is faster by"),
        tuple(rows),
        names=3,
    )


def _convolutions(results: Results) -> Iterator[Table]:
    rows = []
    for race in results["convolutions"].races:
        first = race.entries[0].contestant
        for entry in race.entries:
            own = race.entry(first, entry.precision)  # TensorFlow's, in the same precision
            rows.append(
                (
                    f"{race.facts['channels']} channels, {race.facts['size']}x{race.facts['size']}",
                    title(entry, race),
                    number([value / 1e9 for value in entry.values]),
                    factor(entry.values, own.values) if own and own is not entry else "",
                )
            )
    yield Table(
        f"**A 3x3 convolution and both its gradients**, batch "
        f"{results['convolutions'].races[0].facts['batch']}, GFLOP/s. Above 1: faster than "
        "TensorFlow's own in the same precision.",
        ("maps", "method", "GFLOP/s", "faster by"),
        tuple(rows),
        names=2,
    )


_TABLES: dict[str, Callable[[Results], Iterator[Table]]] = {
    "fit": _fit,
    "pipeline": _pipeline,
    "startup": _start_up,
    "scaling": _scaling,
    "ladder": _ladder,
    "convolutions": _convolutions,
    "runs": lambda results: map(run_table, results["runs"].races),
}
