"""The values of variables: copied, compared in shape, and put back."""

from collections.abc import Sequence

import keras
import numpy as np


def values_of(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """Return copies of the values of variables."""
    # A copy: on a CPU the array may share its memory with a variable that training overwrites.
    return [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in variables]


def check_shapes(
    owner: str, variables: Sequence[keras.Variable], values: Sequence[np.ndarray]
) -> None:
    """Raise a ValueError that names the owner unless `values` are of the variables' shapes."""
    shapes, wanted = [tuple(each.shape) for each in variables], [each.shape for each in values]
    if shapes != wanted:
        raise ValueError(
            f"The {owner} is not the one with which this training began: "
            f"its {len(shapes)} variables differ in number or shape from the {len(wanted)} kept."
        )


def assign(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    """Assign each value to its variable."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
