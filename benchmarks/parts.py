"""The parts of the benchmarks and the races of each part."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from benchmarks import startup, trained
from benchmarks.contestants import KCNN, MAP_OF_EXAMPLES
from benchmarks.contestants.convolution import EXCHANGED, PRODUCT, TENSORFLOW, WHOLE_MAP
from benchmarks.ladder import RACES, WITHOUT_ONEDNN
from benchmarks.plan import Prepared
from benchmarks.race import Spec
from benchmarks.results import Fact, Machine, Part, Race
from kcnn.provenance import processor_flags

SCALED_BATCHES = (64, 256, 1024)
# Channels, and the height and width of the map in pixels; the speed of the large one is a limit.
LARGE = (128, 16)
CONVOLUTIONS = ((512, 2), (512, 4), (256, 8), (64, 8), LARGE)


def contestants(prepared: Prepared, model: str, batch: int, threads: int) -> list[Spec]:
    """Return those who train a model, in every precision that the processor has units for.

    JAX trains in float32 alone: on a CPU, XLA convolves bfloat16 in float32.
    """
    keras3, torch = "benchmarks.contestants.keras3", "benchmarks.contestants.pytorch"
    rows: list[tuple[str, str, str, dict[str, Fact]]] = [
        ("kcnn", f"{keras3}:fit_kcnn", "kcnn", {}),
        ("Keras 3", f"{keras3}:fit_stock", "keras", {}),
        ("Keras 3 on JAX", f"{keras3}:fit_stock", "jax", {"backend": "jax"}),
        ("tf_keras", "benchmarks.contestants.keras2:fit", "tf_keras", {}),
        ("PyTorch", f"{torch}:fit", "torch", {}),
        ("PyTorch, compiled", f"{torch}:fit", "torch", {"compile": 1}),
    ]
    return [
        prepared.spec(
            name,
            loop,
            needs=needs,
            precision=precision,
            model=model,
            batch=batch,
            threads=threads,
            options=options,
        )
        for name, loop, needs, options in rows
        for precision in (precisions() if needs != "jax" else ("float32",))
    ]


def fit(prepared: Prepared) -> Iterator[Race]:
    """Yield the races for the limits of the machine, then one race for each model."""
    plan = prepared.plan
    for precision in precisions():
        yield _arithmetic(prepared, precision)
    size = 2**20 if plan.quick else 2**28
    spec = prepared.spec(
        "addition",
        "benchmarks.contestants.limits:add",
        needs="tensorflow",
        options={"size": size},
    )
    facts: dict[str, Fact] = {"kind": "memory", "size": size, "threads": plan.threads}
    yield prepared.race([spec], "bytes/s", facts)
    for model in plan.models:
        yield _fit_race(prepared, model, plan.batch(model), plan.threads)


def _arithmetic(prepared: Prepared, precision: str) -> Race:
    """Return the race of large operations, the fastest of which is the limit of the arithmetic."""
    plan = prepared.plan
    size, (channels, pixels) = (256, (16, 8)) if plan.quick else (3072, LARGE)
    rows: list[tuple[str, str, dict[str, Fact]]] = [
        ("matrix product", "limits:multiply", {"size": size}),
        (
            "3x3 convolution with its gradients",
            "convolution:convolve",
            {"channels": channels, "size": pixels, "way": TENSORFLOW},
        ),
    ]
    specs = [
        prepared.spec(
            name,
            f"benchmarks.contestants.{loop}",
            needs="tensorflow",
            precision=precision,
            batch=128,
            options=options,
        )
        for name, loop, options in rows
    ]
    facts: dict[str, Fact] = {
        "kind": "limit",
        "size": size,
        "channels": channels,
        "pixels": pixels,
        "precision": precision,
        "threads": plan.threads,
    }
    return prepared.race(specs, "FLOP/s", facts)


def scaling(prepared: Prepared) -> Iterator[Race]:
    """Yield races of one model on one core and with several batch sizes."""
    plan = prepared.plan
    usual = plan.batch(plan.close_up)
    batches = (8, 16) if plan.quick else SCALED_BATCHES
    pairs = [(1, usual), *((plan.threads, batch) for batch in batches)]
    for threads, batch in dict.fromkeys(pairs):
        yield _fit_race(prepared, plan.close_up, batch, threads)


def pipeline(prepared: Prepared) -> Iterator[Race]:
    """Yield one race of the input pipelines, without any training."""
    plan = prepared.plan
    module, batch = "benchmarks.contestants.pipelines", plan.batch(plan.close_up)
    rows = [
        (KCNN, "feed_kcnn", "kcnn"),
        (MAP_OF_EXAMPLES, "feed_keras_map", "keras"),
        ("keras.layers.Random* on batches", "feed_keras_batches", "keras"),
        ("map of tf.image on each example", "feed_tf_image_map", "tensorflow"),
        ("PyTorch: indexing batches", "feed_torch", "torch"),
    ]
    specs = [
        prepared.spec(name, f"{module}:{loop}", needs=needs, batch=batch)
        for name, loop, needs in rows
    ]
    facts = prepared.facts_of(batch=batch, threads=plan.threads)
    yield prepared.race(specs, "images/s", facts)


def convolutions(prepared: Prepared) -> Iterator[Race]:
    """Yield a race for each size of convolution that the deep networks have."""
    rows = ((16, 8),) if prepared.plan.quick else CONVOLUTIONS
    for channels, size in rows:
        ways = (TENSORFLOW, EXCHANGED, PRODUCT, *((WHOLE_MAP,) if size == 2 else ()))
        specs = [
            prepared.spec(
                way,
                "benchmarks.contestants.convolution:convolve",
                needs="tensorflow",
                precision=precision,
                batch=8 if prepared.plan.quick else 128,
                options={"channels": channels, "size": size},
            )
            for precision in precisions()
            for way in ways
        ]
        facts: dict[str, Fact] = {"channels": channels, "size": size, "batch": specs[0].batch}
        yield prepared.race(specs, "FLOP/s", facts)


def ladder(prepared: Prepared) -> Iterator[Race]:
    """Yield races of kcnn against itself without one of its optimizations."""
    plan = prepared.plan
    for wanted, rungs in RACES:
        model = wanted or plan.close_up
        if model not in plan.all_models:
            continue
        facts = prepared.facts_of(model=model, batch=plan.batch(model), threads=plan.threads)
        for precision in precisions():
            specs = [_rung(prepared, name, model, precision) for name in rungs]
            told = {"precision": precision, "rungs": ", ".join(rungs)}  # tell the races apart
            yield prepared.race(specs, "images/s", facts | told)


def _rung(prepared: Prepared, name: str, model: str, precision: str) -> Spec:
    plan = prepared.plan
    batch = plan.batch(model)
    if name.startswith("batch ") and not plan.quick:
        batch = int(name.removeprefix("batch "))
    return prepared.spec(
        name,
        "benchmarks.ladder:climb",
        model=model,
        batch=batch,
        precision=precision,
        options={"onednn": 0} if name == WITHOUT_ONEDNN else {},
    )


def start_up(prepared: Prepared) -> Iterator[Race]:
    """Yield a race of commands, then one to the end of the first training step."""
    plan = prepared.plan
    model = plan.close_up
    yield startup.commands(plan.rules)
    batch = plan.batch(model)
    specs = prepared.among(contestants(prepared, model, batch, plan.threads))
    race = startup.first_step(specs, plan.rules)
    facts = prepared.facts_of(model=model, batch=batch, threads=plan.threads)
    yield replace(race, facts=facts)


def runs(prepared: Prepared) -> Iterator[Race]:
    """Yield the results of speed runs that were finished on such a processor."""
    here = Machine.here().name
    found = trained.races(prepared.plan.runs)
    yield from (race for race in found if race.facts["processor"] == here)


PARTS: dict[str, Callable[[Prepared], Iterator[Race]]] = {
    "startup": start_up,
    "pipeline": pipeline,
    "fit": fit,
    "scaling": scaling,
    "convolutions": convolutions,
    "ladder": ladder,
    "runs": runs,
}


def measure(name: str, prepared: Prepared, report: Callable[[Race], None]) -> Part:
    """Run one part and return it; call `report` with each race that has ended."""
    machine, races = Machine.here(), []
    for race in PARTS[name](prepared):
        races.append(race)
        report(race)
    return Part(machine, tuple(races), prepared.plan.settings)


def _fit_race(prepared: Prepared, model: str, batch: int, threads: int) -> Race:
    key = model, batch, threads
    if key not in prepared.fits:
        facts = prepared.facts_of(model=model, batch=batch, threads=threads)
        specs = contestants(prepared, *key)
        prepared.fits[key] = prepared.race(specs, "images/s", facts)
    return prepared.fits[key]


def precisions() -> tuple[str, ...]:
    """Return float32, and bfloat16 where the processor has units for it."""
    has_bfloat16 = not {"amx_bf16", "avx512_bf16"}.isdisjoint(processor_flags())
    return ("float32", "bfloat16") if has_bfloat16 else ("float32",)
