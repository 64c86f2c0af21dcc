"""The goals that were set for kcnn's speed, beside what was measured."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.cells import Table
from benchmarks.contestants import KCNN, MAP_OF_EXAMPLES
from benchmarks.limits import limits_of, shares
from benchmarks.results import Entry, Results, fastest, ratios, spread

# The parts without which there is no table of goals.
PARTS = {"fit", "pipeline", "startup"}


@dataclass(frozen=True)
class Goal:
    """The smallest ratio of kcnn's speed to a rival's, each in the precision it is faster in.

    Attributes:
        rival: what the table calls the rival.
        contestant: its name in the races; None for the fastest of all.
        least: the goal where the processor has units for bfloat16.
        least_float32: the goal where it has none; None for no goal there.
        only: part of the names of the networks that the goal is for.
    """

    rival: str
    contestant: str | None
    least: float
    least_float32: float | None = None
    only: str = ""


_GOALS = (
    Goal("the fastest rival", None, 1.1, 1.0),
    Goal("PyTorch", "PyTorch", 1.3),
    Goal("Keras 3", "Keras 3", 2.0, only="resnet"),
)
# The smallest share of the nearer limit of the machine.
_SHARES = {"resnet20": 0.6, "vgg16": 0.8}
_SECONDS = (("import kcnn", 0.1), ("kcnn --help", 0.5))
_CONSUMER = "resnet20"
# Goals of the recipe: the fewest runs, their mean accuracy with TTA, the most seconds of training.
_RECIPE, _RUNS, _ACCURACY, _LONGEST = "speedrun94", 3, 0.94, 600


def table(results: Results) -> Table:
    """Return each goal, what was measured, and whether the goal was met."""
    return Table(
        "**Goals and results.** Each contestant counts in the precision in which it is faster.",
        ("what", "goal", "measured", "met"),
        (
            *_fit(results),
            *_limits(results),
            *_pipeline(results),
            *_runs(results),
            *_start_up(results),
        ),
    )


def _fit(results: Results) -> Iterator[tuple[str, ...]]:
    races = [race for race in results["fit"].races if "model" in race.facts]
    bfloat16 = any(entry.precision == "bfloat16" for race in races for entry in race.entries)
    for goal in _GOALS:
        least = goal.least if bfloat16 else goal.least_float32
        if least is None:
            continue
        found: dict[str, float] = {}
        for race in races:
            ours = fastest(race, "kcnn")
            theirs = fastest(race, goal.contestant, besides="kcnn")
            if goal.only in str(race.facts["model"]) and ours and theirs:
                found[str(race.facts["model"])] = _times(ours, theirs)
        yield (
            f"`fit` compared with {goal.rival}",
            f">= {least:g} times",
            ", ".join(f"{name} {each:.2f}" for name, each in found.items()) or "–",
            f"{sum(each >= least for each in found.values())} of {len(found)}" if found else "–",
        )


def _limits(results: Results) -> Iterator[tuple[str, ...]]:
    limits = limits_of(results["fit"])
    for race in results["fit"].races:
        least = _SHARES.get(str(race.facts.get("model")))
        ours = fastest(race, "kcnn")
        if least and ours and (share := shares(ours, race, limits)):
            yield (
                f"share of the nearer limit, {race.facts['model']}",
                f">= {least:.0%}",
                f"{max(share):.1%}",
                _yes_or_no(max(share) >= least),
            )


def _pipeline(results: Results) -> Iterator[tuple[str, ...]]:
    race = results["pipeline"].races[0]
    ours, mapped = race.entry(KCNN), race.entry(MAP_OF_EXAMPLES)
    consumers = [each for each in results["fit"].races if each.facts.get("model") == _CONSUMER]
    consumer = fastest(consumers[0], "kcnn") if consumers else None
    if ours and ours.values and consumer:
        times = spread(ours.values)[0] / spread(consumer.values)[0]
        yield _row(f"images for {_CONSUMER}", 20, times)
    if ours and ours.values and mapped and mapped.values:
        times = _times(ours, mapped)
        yield _row("images compared with the stock map of each example", 10, times)


def _row(what: str, least: float, times: float) -> tuple[str, ...]:
    return what, f">= {least:g} times", f"{times:.2f}", _yes_or_no(times >= least)


def _runs(results: Results) -> Iterator[tuple[str, ...]]:
    accuracy, seconds = ("–", "–"), ("–", "–")
    if runs := _fastest_runs(results):
        mean = statistics.mean(map(_averaged, runs))
        accuracy = f"{mean:.2%}", _yes_or_no(mean >= _ACCURACY)
        longest = max(run.values[0] for run in runs)
        seconds = f"{longest:,.0f} s", _yes_or_no(longest <= _LONGEST)
    goal = f">= {_ACCURACY:.1%}"
    yield f"`{_RECIPE}`, mean test accuracy with TTA, {_RUNS} seeds or more", goal, *accuracy
    yield f"`{_RECIPE}`, longest training", f"<= {_LONGEST} s", *seconds


def _fastest_runs(results: Results) -> list[Entry]:
    """Return enough runs of the recipe on this machine with equal epochs, the fastest such."""
    here = results["fit"].machine.name
    found = []
    for race in results["runs"].races if "runs" in results else ():
        runs = [
            each
            for each in race.entries
            if _averaged(each) and str(each.facts["processor"]).startswith(here)
        ]
        if race.facts["model"] == _RECIPE and len({each.facts["seed"] for each in runs}) >= _RUNS:
            found.append(runs)
    return min(found, key=lambda runs: max(run.values[0] for run in runs), default=[])


def _averaged(run: Entry) -> float:
    """Return the accuracy with test-time augmentation, 0 without one."""
    scores = [score for name, score in run.facts.items() if name.startswith("float, TTA")]
    return float(scores[0]) if scores else 0.0


def _start_up(results: Results) -> Iterator[tuple[str, ...]]:
    for command, most in _SECONDS:
        entry = results["startup"].races[0].entry(command)
        if entry and entry.values:
            seconds = spread(entry.values)[0]
            yield f"`{command}`", f"< {most:g} s", f"{seconds:.2f} s", _yes_or_no(seconds < most)


def _times(ours: Entry, theirs: Entry) -> float:
    """Return the median ratio of two contestants' speeds."""
    return spread(ratios(ours.values, theirs.values))[0]


def _yes_or_no(met: bool) -> str:
    return "yes" if met else "no"
