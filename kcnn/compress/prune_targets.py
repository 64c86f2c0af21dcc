"""What pruning is asked for: the target of each layer, and when the masks are updated."""

from collections.abc import Iterable, Mapping
from numbers import Real

import keras
import numpy as np

from kcnn.compress.bridge.prune_job import TWO_TO_FOUR
from kcnn.compress.kernels import read_names, select_kernels, zero_fractions
from kcnn.compress.kernels import sparsity as measured_sparsity
from kcnn.errors import unknown

# A layer's sparsity at the start and at the end, or "2:4".
Target = tuple[float, float] | str

SCHEDULES = ("polynomial", "constant")

# About how often the masks are updated on the way to the final sparsity: each update sorts all
# weights.
MASK_UPDATES = 32


def find_targets(
    model: keras.Model, sparsity: float | str | Mapping[str, float], exclude: Iterable[str]
) -> dict[str, Target]:
    """Check `sparsity` and `exclude`, and return the target of each layer that has zeros."""
    exclude = read_names(exclude)
    if isinstance(sparsity, Mapping) and (both := sorted(set(sparsity).intersection(exclude))):
        raise ValueError(f"Layer {both[0]!r} has a sparsity and is excluded: drop one of the two.")
    found = select_kernels(model, exclude)
    before = zero_fractions(model)
    # Layers that are not pruned further keep their zeros.
    kept: dict[str, Target] = {name: (zeros, zeros) for name, zeros in before.items() if zeros}
    if sparsity == TWO_TO_FOUR:
        _check_two_to_four(model, found)
        return kept | dict.fromkeys(found, TWO_TO_FOUR)
    wanted = _find_final_sparsities(sparsity, found)
    if all(
        before[name] and round((goal - before[name]) * found[name].size) < 1
        for name, goal in wanted.items()
    ):
        raise ValueError(
            f"The weights of the model are already {measured_sparsity(model):.1%} zeros: sparsity "
            f"must be higher. Received: sparsity={sparsity}"
        )
    return kept | {name: (before[name], max(before[name], goal)) for name, goal in wanted.items()}


def _find_final_sparsities(
    sparsity: float | str | Mapping[str, float], found: dict[str, np.ndarray]
) -> dict[str, float]:
    """Return the fraction of zeros that each layer ends with, by its name."""
    wanted = sparsity if isinstance(sparsity, Mapping) else dict.fromkeys(found, sparsity)
    for name, fraction in wanted.items():
        if name not in found:
            raise unknown("layer", name, found)
        if not isinstance(fraction, Real) or not 0 < float(fraction) < 1:
            raise ValueError(
                "sparsity must lie between 0 and 1, by layer name or for all of them, or be "
                f"{TWO_TO_FOUR!r}. Received: sparsity={sparsity!r}"
            )
    return {name: float(fraction) for name, fraction in wanted.items()}


def _check_two_to_four(model: keras.Model, found: dict[str, np.ndarray]) -> None:
    for name, kernel in found.items():
        if kernel.ndim not in (2, 4):
            raise ValueError(
                f"Layer {name!r} ({model.get_layer(name).__class__.__name__}) cannot be pruned "
                f"{TWO_TO_FOUR}, only kernels of Conv2D, SeparableConv2D and Dense can: exclude it."
            )
        if np.any(kernel == 0):
            raise ValueError(
                f"Layer {name!r} has zeros, and {TWO_TO_FOUR} would let some of them train again: "
                "start from the dense model, or exclude the layer."
            )


def mask_updates(schedule: str, steps: int) -> tuple[int, int]:
    """Return the step of the last mask update, and the number of steps between updates.

    Steps count from 1. Step 1 always updates, because zeros that the model already has must not
    train. The last update falls on a multiple of the distance, or TF-MOT would miss the final
    sparsity.

    >>> mask_updates("polynomial", 700)
    (341, 10)
    >>> mask_updates("polynomial", 20)
    (10, 1)
    >>> mask_updates("constant", 700)
    (1, 1)
    """
    room = max(0, steps // 2 - 1) if schedule == "polynomial" else 0
    frequency = max(1, room // MASK_UPDATES)
    return 1 + room // frequency * frequency, frequency
