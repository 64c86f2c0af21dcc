"""The memory that TensorFlow Lite Micro gets for a model's activations."""

from dataclasses import dataclass
from pathlib import Path

from kcnn.errors import one_line
from kcnn.litert.activations import peak_activation_bytes
from kcnn.runtimes import micro

# TensorFlow Lite Micro needs more for itself, and how much differs from chip to chip.
_ARENA_ROOM, _GUESS_ROOM = 1.25, 2.0


@dataclass(frozen=True)
class Arena:
    """The memory that a model needs on a microcontroller besides its own bytes.

    Attributes:
        bytes: what an app reserves.
        note: how this number is known, in one line.
        activations: bytes of the activations that exist at one time: what any runtime needs.
    """

    bytes: int
    note: str
    activations: int


def arena_of(path: Path) -> Arena:
    """Return the memory for TensorFlow Lite Micro: measured where it is installed, or a guess."""
    data = path.read_bytes()
    activations = peak_activation_bytes(data)
    guess = round(_GUESS_ROOM * activations)
    if micro.available() is not None:
        note = "A guess: `kcnn verify` measures it where TensorFlow Lite Micro is installed."
        return Arena(guess, note, activations)
    try:
        needed = micro.arena_bytes(data)
    except RuntimeError as error:  # it lacks operators that phones have
        note = f"A guess, and this file may not compile: {one_line(error)}"
        return Arena(guess, note, activations)
    note = "Measured with TensorFlow Lite Micro on a PC, plus a quarter."
    return Arena(round(_ARENA_ROOM * needed), note, activations)
