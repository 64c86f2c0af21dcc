"""The goals that were set for kcnn's speed, beside what was measured."""

import statistics
from collections.abc import Iterator

from benchmarks.cells import Table
from benchmarks.contestants import KCNN, MAP_OF_EXAMPLES
from benchmarks.results import Race, Results, ratios, spread

# The parts without which there is no table of goals.
PARTS = {"fit", "pipeline", "startup"}

# Goals of `fit`: contestant, its precision (None: the first that it ran in), network (None: each),
# and the smallest ratio of kcnn's speed to the contestant's.
_RATIOS = (
    ("Keras 3", "float32", None, 2.5),
    ("Keras 3", "bfloat16", None, 2.0),
    ("PyTorch", "bfloat16", None, 1.05),
    ("PyTorch", "bfloat16", "vgg16", 1.4),
    ("tf_keras", None, None, 1.0),
)
_SECONDS = (("import kcnn", 0.1), ("kcnn --help", 0.5))
_CONSUMER = "resnet20"
# Goals of the recipe: the fewest runs, their mean accuracy with TTA, the most seconds of training.
_RECIPE, _RUNS, _ACCURACY, _LONGEST = "speedrun94", 3, 0.94, 600


def table(results: Results) -> Table:
    """Return each goal, what was measured, and whether the goal was met."""
    return Table(
        "**Goals and results.** bfloat16 is measured where the processor has AMX.",
        ("what", "goal", "measured", "met"),
        (*_fit(results), *_pipeline(results), *_runs(results), *_start_up(results)),
    )


def _fit(results: Results) -> Iterator[tuple[str, ...]]:
    races = [race for race in results["fit"].races if "model" in race.facts]
    for contestant, precision, only, least in _RATIOS:
        found: dict[str, float] = {}
        for race in races:
            model = str(race.facts["model"])
            times = _times_faster(race, "kcnn", contestant, precision)
            if only in (None, model) and times is not None:
                found[model] = times
        yield (
            f"`fit` of {only or 'each network'} compared with {contestant}"
            + (f" in {precision}" if precision else ""),
            f">= {least:g} times",
            ", ".join(f"{name} {each:.3f}" for name, each in found.items()) or "–",
            f"{sum(each >= least for each in found.values())} of {len(found)}" if found else "–",
        )


def _pipeline(results: Results) -> Iterator[tuple[str, ...]]:
    race = results["pipeline"].races[0]
    ours = race.entry(KCNN)
    consumers = [each for each in results["fit"].races if each.facts.get("model") == _CONSUMER]
    consumer = consumers[0].entry("kcnn") if consumers else None
    if ours and ours.values and consumer and consumer.values:
        times = spread(ours.values)[0] / spread(consumer.values)[0]
        yield _row(f"images for {_CONSUMER}", 20, times)
    times = _times_faster(race, KCNN, MAP_OF_EXAMPLES)
    if times is not None:
        yield _row("images compared with the stock map of each example", 10, times)


def _row(what: str, least: float, times: float) -> tuple[str, ...]:
    return what, f">= {least:g} times", f"{times:.2f}", _yes_or_no(times >= least)


def _runs(results: Results) -> Iterator[tuple[str, ...]]:
    races = results["runs"].races if "runs" in results else ()
    runs = [entry for race in races if race.facts["model"] == _RECIPE for entry in race.entries]
    scores = {  # one for each seed
        run.facts["seed"]: float(score)
        for run in runs
        for name, score in run.facts.items()
        if name.startswith("float, TTA")
    }
    accuracy, seconds = ("–", "–"), ("–", "–")
    if len(scores) >= _RUNS:
        mean = statistics.mean(scores.values())
        accuracy = f"{mean:.2%}", _yes_or_no(mean >= _ACCURACY)
        longest = max(run.values[0] for run in runs)
        seconds = f"{longest:,.0f} s", _yes_or_no(longest <= _LONGEST)
    goal = f">= {_ACCURACY:.1%}"
    yield f"`{_RECIPE}`, mean test accuracy with TTA, {_RUNS} seeds or more", goal, *accuracy
    yield f"`{_RECIPE}`, longest training", f"<= {_LONGEST} s", *seconds


def _start_up(results: Results) -> Iterator[tuple[str, ...]]:
    for command, most in _SECONDS:
        entry = results["startup"].races[0].entry(command)
        if entry and entry.values:
            seconds = spread(entry.values)[0]
            yield f"`{command}`", f"< {most:g} s", f"{seconds:.2f} s", _yes_or_no(seconds < most)


def _times_faster(race: Race, one: str, other: str, precision: str | None = None) -> float | None:
    """Return the median ratio of two contestants' speeds; None unless both have values."""
    ours, theirs = race.entry(one), race.entry(other, precision)
    if ours and theirs and ours.values and theirs.values:
        return spread(ratios(ours.values, theirs.values))[0]
    return None


def _yes_or_no(met: bool) -> str:
    return "yes" if met else "no"
