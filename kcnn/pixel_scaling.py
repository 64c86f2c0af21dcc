"""The numbers that a network wants for pixels of 0-255, where it does not scale them itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

KNOWN = "'0..255', '0..1', '-1..1', or mean,std of pixels 0-255, such as '125.3,63.0'"


@dataclass(frozen=True)
class PixelScaling:
    """A network wants `(pixel - mean) / std`.

    Attributes:
        mean: of pixels 0-255; one number, or one for each channel.
        std: as `mean`, above 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def is_identity(self) -> bool:
        """Whether the network wants the pixels as they are."""
        return not any(self.mean) and set(self.std) == {1.0}

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Return the numbers for pixels [..., channels], float64."""
        return (np.asarray(pixels, np.float64) - self.mean) / self.std

    def for_channels(self, channels: int) -> "PixelScaling":
        """Return the same with one number for each channel.

        Raises:
            ValueError: it is for images of another number of channels.
        """
        for values in (self.mean, self.std):
            if len(values) not in (1, channels):
                raise ValueError(
                    f"input_range needs one mean and one std, or one for each of the {channels} "
                    f"channels. Received: {len(self.mean)} and {len(self.std)}."
                )
        mean, std = (np.resize(each, channels).tolist() for each in (self.mean, self.std))
        return PixelScaling(tuple(mean), tuple(std))


InputRange: TypeAlias = str | tuple[float | Sequence[float], float | Sequence[float]] | PixelScaling
"""What users say: the name of a range, `"mean,std"`, or a pair (mean, std)."""

NAMED: Mapping[str, PixelScaling] = MappingProxyType(
    {
        "0..255": PixelScaling((0.0,), (1.0,)),
        "0..1": PixelScaling((0.0,), (255.0,)),
        "-1..1": PixelScaling((127.5,), (127.5,)),
    }
)


def read_scaling(given: InputRange) -> PixelScaling:
    """Return the scaling that a user names.

    Args:
        given: "0..255" for raw pixels, "0..1", "-1..1", or the mean and the standard deviation that
            the training used: a pair, each a number or one for each channel; or a text, the means
            before the standard deviations: "125.3,63.0" or "125,123,114,63,62,67". Both are of
            pixels 0-255: a mean of 0.485 of pixels 0-1 is 123.7 here.

    Raises:
        ValueError: it is none of these, or the numbers are of pixels 0-1.

    >>> read_scaling("-1..1")(np.array([[0, 255]]))
    array([[-1.,  1.]])
    >>> read_scaling("125.3,63.0").mean
    (125.3,)
    """
    if isinstance(given, PixelScaling):
        return given
    if isinstance(given, str) and given in NAMED:
        return NAMED[given]
    try:
        if isinstance(given, str):
            numbers = [float(each) for each in given.split(",")]
            half = len(numbers) // 2
            mean, std = tuple(numbers[:half]), tuple(numbers[half:])
        else:
            mean, std = (tuple(map(float, np.ravel(each))) for each in given)
    except (TypeError, ValueError):
        mean, std = (), ()
    finite = bool(mean) and np.isfinite([*mean, *std]).all()
    if not finite or len(mean) != len(std) or min(std) <= 0:
        raise ValueError(f"input_range must be {KNOWN}. Received: {given!r}.")
    if max(std) <= 1 and max(map(abs, mean)) <= 1:
        raised = ",".join(f"{255 * each:.4g}" for each in (*mean, *std))
        raise ValueError(
            "input_range needs mean and std of pixels 0-255, and these are of pixels 0-1: write "
            f"{raised!r}. Received: {given!r}."
        )
    return PixelScaling(mean, std)
