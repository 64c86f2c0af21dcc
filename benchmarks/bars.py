"""What was asked of kcnn's speed, beside what was measured."""

import statistics
from collections.abc import Iterator

from benchmarks.cells import Table
from benchmarks.contestants import KCNN, MAP_OF_EXAMPLES
from benchmarks.results import Entry, Results, ratios, spread

PARTS = {"fit", "pipeline", "startup"}
"""The parts of which something was asked."""

# Of `fit`: beside whom, in which precision, on which networks (all if None), at least how much.
_RATIOS = (
    ("Keras 3", "float32", None, 2.5),
    ("Keras 3", "bfloat16", None, 2.0),
    ("PyTorch", "bfloat16", None, 1.05),
    ("PyTorch", "bfloat16", "vgg16", 1.4),
    ("tf_keras", None, None, 1.0),
)
_SECONDS = (("import kcnn", 0.1), ("kcnn --help", 0.5))
_CONSUMER = "resnet20"
# Of the recipe: at least how many runs, the mean of their accuracies with TTA, the seconds of each.
_RECIPE, _RUNS, _ACCURACY, _LONGEST = "speedrun94", 3, 0.94, 600


def table(results: Results) -> Table:
    """Return what was asked, what was measured, and whether that is enough."""
    return Table(
        "**Asked and measured.** bfloat16 is measured where the processor has AMX.",
        ("what", "asked", "measured", "met"),
        (*_fit(results), *_pipeline(results), *_runs(results), *_start_up(results)),
    )


def _fit(results: Results) -> Iterator[tuple[str, ...]]:
    races = [race for race in results["fit"].races if "model" in race.facts]
    for contestant, precision, only, least in _RATIOS:
        found = {}
        for race in races:
            ours, other = race.of("kcnn"), race.of(contestant, precision)
            if only in (None, race.facts["model"]) and _both(ours, other):
                found[race.facts["model"]] = spread(ratios(ours.values, other.values))[0]
        yield (
            f"`fit` of {only or 'each network'} beside {contestant}"
            + (f" in {precision}" if precision else ""),
            f">= {least:g} times",
            ", ".join(f"{name} {each:.3f}" for name, each in found.items()) or "–",
            f"{sum(each >= least for each in found.values())} of {len(found)}" if found else "–",
        )


def _pipeline(results: Results) -> Iterator[tuple[str, ...]]:
    race = results["pipeline"].races[0]
    ours, stock = race.of(KCNN), race.of(MAP_OF_EXAMPLES)
    consumers = [each for each in results["fit"].races if each.facts.get("model") == _CONSUMER]
    consumer = consumers[0].of("kcnn") if consumers else None
    if _both(ours, consumer):
        times = spread(ours.values)[0] / spread(consumer.values)[0]
        yield _row(f"images for {_CONSUMER}", 20, times)
    if _both(ours, stock):
        times = spread(ratios(ours.values, stock.values))[0]
        yield _row("images beside the stock map of each example", 10, times)


def _row(what: str, least: float, times: float) -> tuple[str, ...]:
    return what, f">= {least:g} times", f"{times:.2f}", _said(times >= least)


def _runs(results: Results) -> Iterator[tuple[str, ...]]:
    races = results["runs"].races if "runs" in results else ()
    runs = [entry for race in races if race.facts["model"] == _RECIPE for entry in race.entries]
    scores = {  # of each seed one
        run.facts["seed"]: score
        for run in runs
        for name, score in run.facts.items()
        if name.startswith("float, TTA")
    }
    accuracy, seconds = ("–", "–"), ("–", "–")
    if len(scores) >= _RUNS:
        mean = statistics.mean(scores.values())
        accuracy = f"{mean:.2%}", _said(mean >= _ACCURACY)
        longest = max(run.values[0] for run in runs)
        seconds = f"{longest:,.0f} s", _said(longest <= _LONGEST)
    asked = f">= {_ACCURACY:.1%}"
    yield f"`{_RECIPE}`, mean test accuracy with TTA, {_RUNS} seeds or more", asked, *accuracy
    yield f"`{_RECIPE}`, training, the longest", f"<= {_LONGEST} s", *seconds


def _start_up(results: Results) -> Iterator[tuple[str, ...]]:
    for command, most in _SECONDS:
        entry = results["startup"].races[0].of(command)
        if entry and entry.values:
            seconds = spread(entry.values)[0]
            yield f"`{command}`", f"< {most:g} s", f"{seconds:.2f} s", _said(seconds < most)


def _both(one: Entry | None, other: Entry | None) -> bool:
    return bool(one and other and one.values and other.values)


def _said(met: bool) -> str:
    return "yes" if met else "no"
