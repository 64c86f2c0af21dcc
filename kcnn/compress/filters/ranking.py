"""Which channels go: the weakest of the whole network, until it costs what was asked for."""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

from kcnn.compress.filters.channels import WHOLE
from kcnn.compress.filters.network import Network


class _Chunk(NamedTuple):
    """Units of one group that go in one step."""

    group: int
    units: np.ndarray
    worth: float


def select_units_to_remove(
    network: Network, criterion: str, macs: float, multiple_of: int
) -> np.ndarray:
    """Return the units of the lowest scores, without which no more than a share `macs` is left.

    Raises:
        ValueError: not so much can be removed by this criterion.
    """
    order = _weakest_first(network, score_units(network, criterion), multiple_of)

    def share(removed: Sequence[_Chunk]) -> float:
        return network.macs(network.kept(_units(removed))) / network.arithmetic.macs

    if macs < share(order):
        least = ceil(1000 * share(order)) / 1000
        raise ValueError(
            f"macs must be at least {least} for this model by criterion={criterion!r}, with what "
            f"each layer keeps (exclude, multiple_of={multiple_of}). Received: macs={macs}"
        )
    # What is left becomes cheaper with all that goes: find where it is first cheap enough.
    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if share(order[:middle]) <= macs else (middle + 1, high)
    removed, done = order[:low], set()
    # One that is dear may have been the last to go, and leave room for cheaper ones to stay.
    for chunk in reversed(removed):
        rest = [each for each in removed if each is not chunk]
        if chunk.group not in done and share(rest) <= macs:
            removed = rest
        else:
            done.add(chunk.group)
    return _units(removed)


def score_units(network: Network, criterion: str) -> np.ndarray:
    """Return what each unit is worth, by its label; NaN where the criterion cannot tell.

    The scores of one layer are divided by their mean, for layers of other sizes have other norms;
    a unit that several layers make has the mean of theirs.
    """
    sums, counts = np.zeros((2, len(network.roots)))
    for rule in network.rules.values():
        if criterion in rule.scores:
            values = rule.scores[criterion]
            units = network.roots[rule.output]
            np.add.at(sums, units, values / (values.mean() or 1))
            np.add.at(counts, units, 1)
    told = counts > 0
    told[WHOLE] = False
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=told)


def _weakest_first(network: Network, worth: np.ndarray, multiple_of: int) -> list[_Chunk]:
    """Return all that may go, in this order."""
    chunks = []
    for number, group in enumerate(network.groups()):
        told = group[~np.isnan(worth[group])]
        ranked = told[np.argsort(worth[told], kind="stable")]
        # After the first chunk a multiple is left; the last one stays where all could go.
        first = len(group) % multiple_of or multiple_of
        last = len(ranked) - (multiple_of if len(ranked) == len(group) else 0)
        ends = range(first, last + 1, multiple_of)
        for units in np.split(ranked, ends)[: len(ends)]:
            chunks.append(_Chunk(number, units, float(worth[units].mean())))
    return sorted(chunks, key=lambda chunk: chunk.worth)


def _units(chunks: Sequence[_Chunk]) -> np.ndarray:
    return np.concatenate([np.array([], int), *(chunk.units for chunk in chunks)])
