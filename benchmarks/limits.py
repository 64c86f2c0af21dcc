"""How near a training comes to the limits of the machine: arithmetic and memory."""

from dataclasses import dataclass

from benchmarks.results import Entry, Part, Race, spread

_BYTES = {"float32": 4, "bfloat16": 2}


@dataclass(frozen=True)
class Limits:
    """What the machine reaches where nothing else is to be done.

    Attributes:
        flops: FLOP/s of the fastest large operation, by precision.
        bandwidth: bytes/s of an addition of large vectors; None where it was not measured.
        operations: the names of the large operations that were measured.
    """

    flops: dict[str, float]
    bandwidth: float | None = None
    operations: tuple[str, ...] = ()


def limits_of(part: Part) -> Limits:
    """Return the limits that were measured in a part."""
    flops: dict[str, float] = {}
    names, bandwidth = [], None
    for race in part.races:
        for entry in race.entries if is_limit(race) else ():
            if not entry.values:
                continue
            if race.facts["kind"] == "memory":
                bandwidth = spread(entry.values)[0]
            else:
                names.append(entry.contestant)
                reached = spread(entry.values)[0]
                flops[entry.precision] = max(reached, flops.get(entry.precision, 0.0))
    return Limits(flops, bandwidth, tuple(dict.fromkeys(names)))


def is_limit(race: Race) -> bool:
    """Return whether a race measured a limit and not a training."""
    return race.facts.get("kind") in ("limit", "memory")


def flops(entry: Entry, race: Race) -> float:
    """Return the FLOP/s of a training: two for each MAC, forward once and backward twice."""
    return spread(entry.values)[0] * 3 * 2 * float(race.facts["macs"])


def traffic(entry: Entry, race: Race) -> float | None:
    """Return the bytes/s that a training moves at least, None where the network's are not known.

    That is what it moves if every layer is a kernel of its own that reads and writes each of its
    tensors once: forward its inputs and its output; backward the gradient of the output, the
    inputs, and the gradient of the inputs. Weights are left out; they are shared by a batch.
    """
    if "moved" not in race.facts:
        return None
    return spread(entry.values)[0] * float(race.facts["moved"]) * _BYTES[entry.precision]


def shares(entry: Entry, race: Race, limits: Limits) -> tuple[float, ...]:
    """Return a training's share of the arithmetic limit and of the memory limit, where known."""
    if not entry.values or entry.precision not in limits.flops:
        return ()
    arithmetic = flops(entry, race) / limits.flops[entry.precision]
    moved = traffic(entry, race)
    if moved is None or not limits.bandwidth:
        return (arithmetic,)
    return arithmetic, moved / limits.bandwidth
