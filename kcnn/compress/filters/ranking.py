"""Select the weakest channels of the whole network, until it is small enough."""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

from kcnn.compress.filters.channels import WHOLE
from kcnn.compress.filters.network import Network


class _Chunk(NamedTuple):
    """Units of one group that are removed in one step."""

    group: int
    units: np.ndarray
    score: float


def select_units_to_remove(
    network: Network, criterion: str, macs: float, multiple_of: int
) -> np.ndarray:
    """Return the units with the lowest scores, removed until a fraction `macs` or less is left.

    Raises:
        ValueError: this criterion cannot remove that much.
    """
    order = _sort_by_score(network, score_units(network, criterion), multiple_of)

    def fraction_left(removed: Sequence[_Chunk]) -> float:
        return network.macs(network.kept_without(_join(removed))) / network.arithmetic.macs

    if macs < fraction_left(order):
        least = ceil(1000 * fraction_left(order)) / 1000
        raise ValueError(
            f"macs must be at least {least} for this model by criterion={criterion!r}, with what "
            f"each layer keeps (exclude, multiple_of={multiple_of}). Received: macs={macs}"
        )
    # Every removal makes the network cheaper: bisect for the first point where it is cheap enough.
    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        cheap_enough = fraction_left(order[:middle]) <= macs
        low, high = (low, middle) if cheap_enough else (middle + 1, high)
    removed, done = order[:low], set()
    # The last filters removed may have been expensive ones: put cheaper filters back while the
    # budget still holds.
    for chunk in reversed(removed):
        rest = [each for each in removed if each is not chunk]
        if chunk.group not in done and fraction_left(rest) <= macs:
            removed = rest
        else:
            done.add(chunk.group)
    return _join(removed)


def score_units(network: Network, criterion: str) -> np.ndarray:
    """Return the score of each unit, by its label; NaN for a unit that the criterion cannot score.

    The scores of a layer are divided by their mean, because norms depend on the size of the layer.
    A unit that several layers make gets the mean of their scores.
    """
    sums, counts = np.zeros((2, len(network.roots)))
    for rule in network.rules.values():
        if criterion in rule.scores:
            values = rule.scores[criterion]
            units = network.roots[rule.output]
            np.add.at(sums, units, values / (values.mean() or 1))
            np.add.at(counts, units, 1)
    scored = counts > 0
    scored[WHOLE] = False
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=scored)


def _sort_by_score(network: Network, scores: np.ndarray, multiple_of: int) -> list[_Chunk]:
    """Return all units that may be removed, in chunks, the lowest score first."""
    chunks = []
    for number, group in enumerate(network.groups()):
        scored = group[~np.isnan(scores[group])]
        ranked = scored[np.argsort(scores[scored], kind="stable")]
        # The first chunk leaves a multiple. Where every unit has a score, the last chunk is kept.
        first = len(group) % multiple_of or multiple_of
        last = len(ranked) - (multiple_of if len(ranked) == len(group) else 0)
        ends = range(first, last + 1, multiple_of)
        for units in np.split(ranked, ends)[: len(ends)]:
            chunks.append(_Chunk(number, units, float(scores[units].mean())))
    return sorted(chunks, key=lambda chunk: chunk.score)


def _join(chunks: Sequence[_Chunk]) -> np.ndarray:
    return np.concatenate([np.array([], int), *(chunk.units for chunk in chunks)])
