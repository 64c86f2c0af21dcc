"""Room for what a training writes, checked before it begins."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np

_STATES = 3  # the last one, the one before, and one that is being written
_BESTS = 2  # the best model, and one that is being written


def bytes_of(variables: Iterable[keras.Variable]) -> int:
    """Return the size of the values of variables.

    >>> bytes_of([keras.Variable(np.zeros((3, 5), "float32"))])
    60
    """
    sizes = {"bfloat16": 2}  # which NumPy does not know
    return sum(
        int(np.prod(each.shape)) * (sizes.get(each.dtype) or np.dtype(each.dtype).itemsize)
        for each in variables
    )


def checkpoint_bytes(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> int:
    """Return about how much the states and the best model of a training take on the disk.

    A state holds the model, the optimizer and the best weights, which early stopping remembers.

    Args:
        model: what is trained.
        optimizer: its optimizer, built.
    """
    weights, memory = bytes_of(model.variables), bytes_of(optimizer.variables)
    return _STATES * (2 * weights + memory) + _BESTS * (weights + memory)


def check_room(folder: str | os.PathLike, needed: int) -> None:
    """Refuse a folder that cannot be written, or whose disk has too little room.

    Args:
        folder: where files will be written; it need not be there.
        needed: in bytes.

    Raises:
        ValueError: the folder cannot be written, or its disk is too full; the message has both
            numbers.
    """
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise ValueError(f"{str(place)!r} is a file, so nothing can be written into it.")
    try:  # the permissions do not say it: root passes all of them, also in /proc
        with tempfile.TemporaryDirectory(prefix=".kcnn-", dir=place):
            pass
    except OSError as error:
        made = place == Path(folder).absolute()
        why = "" if made else f"{str(folder)!r} cannot be made: "
        raise ValueError(f"{why}{str(place)!r} cannot be written: name another folder.") from error
    free = shutil.disk_usage(place).free
    if free < needed:
        raise ValueError(
            f"{str(folder)!r} needs about {_megabytes(needed)} for checkpoints and models, and its "
            f"disk has {_megabytes(free)} left: free some room, or name another folder."
        )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
