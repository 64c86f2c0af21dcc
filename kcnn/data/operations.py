"""The table of augmentations: operations on whole batches of training images, and lists of them.

To add an operation, give it a row in `OPERATIONS` and write it in `augment` (or `mixing`) for
TensorFlow, in `jax_augment` for JAX, or in both. Nothing here loads either.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kcnn.errors import unknown
from kcnn.own_code import is_own, resolve

BORDER = 4
"""Black pixels on every side before a crop."""
NARROW_BORDER = 2
"""Mirrored border pixels that the "alternating" augmentation adds on every side."""
ZOOM = math.log(1.25)
"""The largest logarithm of a zoom's factor."""
SMALLEST_CROP = 0.08
"""The smallest share of an image that a random resized crop shows."""
ASPECT = math.log(4 / 3)
"""The largest logarithm of a crop's width divided by its height."""
MORE = 1_000_003
"""Folded into a seed for the draws of later operations; no list of operations is as long."""

Backend = Literal["tensorflow", "jax"]
OwnAugmentation = Callable[[Any, Any], Any]
"""A function (images uint8 [B, H, W, C], seed) -> changed images of the same shape and dtype."""
Augment = str | OwnAugmentation | Sequence[str | OwnAugmentation]
"""A name, a function, "module:function", or a list of them: see `chain`."""

_BATCH_STREAM = 0
_OWN_STREAMS = 2  # `mixing` folds 1 into the batch's seed


@dataclass(frozen=True)
class Operation:
    """A change to each image of a batch, with a draw of its own for every image.

    Attributes:
        does: One line.
        draws: Name of the random numbers that it draws. Of several operations in a list with the
            same name, each draws its own.
        paper: Where it comes from.
        backends: Where it runs.
        mixes: Whether it mixes images with each other, which makes their labels soft.
    """

    does: str
    draws: str
    paper: str = ""
    backends: tuple[Backend, ...] = ("tensorflow", "jax")
    mixes: bool = False


OPERATIONS = {
    "shift": Operation("4 pixels of black border, then a random crop of the old size", "window"),
    "mirror": Operation("half of the images mirrored, unless the source forbids it", "window"),
    "shift_mirror": Operation(
        "shift and mirror at once",
        "window",
        "He et al., Deep Residual Learning (2015), section 4.2, https://arxiv.org/abs/1512.03385",
    ),
    "alternating": Operation(
        "2 pixels of mirrored border, a crop, and each image mirrored every other epoch",
        "window",
        "Jordan, 94% on CIFAR-10 in 3.29 Seconds (2024), https://arxiv.org/abs/2404.00498",
    ),
    "rotate_color": Operation(
        "rotation up to 15 degrees, brightness, contrast, saturation +-20 %",
        "color",
        backends=("tensorflow",),
    ),
    "zoom": Operation(
        "each image scaled about its center by a factor of 0.8 to 1.25, on black", "zoom"
    ),
    "resized_crop": Operation(
        "a crop of 8 % to 100 % of the image with an aspect ratio of 3/4 to 4/3, in the old size",
        "crop",
        "Szegedy et al., Going Deeper with Convolutions (2014), section 6, "
        "https://arxiv.org/abs/1409.4842",
    ),
    "rand_augment": Operation(
        "two of fourteen changes of geometry and color, drawn for each image",
        "rand_augment",
        "Cubuk et al., RandAugment (2019), https://arxiv.org/abs/1909.13719",
    ),
    "cutout": Operation(
        "a black square of half the shorter side somewhere in each image",
        "hole",
        "DeVries and Taylor, Improved Regularization of Convolutional Neural Networks with Cutout "
        "(2017), https://arxiv.org/abs/1708.04552",
    ),
    "mixup": Operation(
        "each image blended with another one, soft labels in the same shares",
        "partner",
        "Zhang et al., mixup: Beyond Empirical Risk Minimization (2017), "
        "https://arxiv.org/abs/1710.09412",
        mixes=True,
    ),
    "cutmix": Operation(
        "a rectangle of another image pasted into each image, soft labels by area",
        "partner",
        "Yun et al., CutMix (2019), https://arxiv.org/abs/1905.04899",
        mixes=True,
    ),
}
"""What can happen to a batch of training images."""

AUGMENTATIONS = {
    "none": (),
    "shift": ("shift",),
    "standard": ("shift_mirror",),
    "alternating": ("alternating",),
    "strong": ("shift_mirror", "rotate_color"),
    "cutout": ("shift_mirror", "cutout"),
    "mixup": ("shift_mirror", "mixup"),
    "cutmix": ("shift_mirror", "cutmix"),
}
"""Names of usual augmentations, and the operations that each stands for, in order."""


@dataclass(frozen=True)
class Step:
    """One operation of a list, ready to be built for a backend.

    Attributes:
        name: A key of `OPERATIONS`, or what messages call the user's own function.
        stream: 0 to draw from the batch's own seed; else a number to fold into it first.
        own: The user's own function; None for an operation of the table.
    """

    name: str
    stream: int
    own: OwnAugmentation | None = None

    @property
    def mixes(self) -> bool:
        """Whether it makes labels soft."""
        return self.own is None and OPERATIONS[self.name].mixes


def chain(augment: Augment, backend: Backend) -> tuple[Step, ...]:
    """Return the operations that an augmentation consists of, in order.

    A name alone is looked up in `AUGMENTATIONS` first. In a list, "cutout", "mixup" and "cutmix"
    are the operations alone, without "shift_mirror" before them.

    Args:
        augment: A name of `AUGMENTATIONS` or `OPERATIONS`, a function of your own, its place as
            "module:function", or a list of these.
        backend: Where the operations will run.

    Raises:
        ValueError: If a name is unknown, an operation does not run on the backend, a function is
            not found or cannot be called, or an operation that mixes is not the last one.

    >>> [step.name for step in chain("strong", "tensorflow")]
    ['shift_mirror', 'rotate_color']
    >>> [step.name for step in chain(("strong", "cutout"), "tensorflow")]
    ['shift_mirror', 'rotate_color', 'cutout']
    """
    steps: list[Step] = []
    drawn: set[str] = set()
    for position, part in enumerate(_parts(augment)):
        stream = position + _OWN_STREAMS
        if not isinstance(part, str):
            steps.append(Step(_name_of(part), stream, part))
        elif is_own(part):
            steps.append(Step(part, stream, _resolved(part)))
        else:
            draws = OPERATIONS[part].draws
            steps.append(Step(part, stream if draws in drawn else _BATCH_STREAM))
            drawn.add(draws)
    _check(augment, steps, backend)
    return tuple(steps)


def _parts(augment: Augment) -> list[str | OwnAugmentation]:
    """Return functions, their places, and keys of `OPERATIONS`."""
    if isinstance(augment, str):
        named = augment in AUGMENTATIONS
        return list(AUGMENTATIONS[augment] if named else _expanded(augment, "augmentation"))
    if callable(augment):
        return [augment]
    if not isinstance(augment, list | tuple):
        raise ValueError(
            "augment must be a name, a function, 'module:function', or a list of them. "
            f"Received: {augment!r}"
        )
    parts: list[str | OwnAugmentation] = []
    if "none" in augment and len(augment) > 1:
        raise ValueError(f"'none' means nothing beside others: leave it out. Received: {augment!r}")
    for each in augment:
        if isinstance(each, str):
            parts += _expanded(each, "operation")
        elif callable(each):
            parts.append(each)
        else:
            raise ValueError(
                "In a list, augment takes names, functions and 'module:function'. "
                f"Received: {each!r}"
            )
    return parts


def _expanded(name: str, kind: str) -> Sequence[str]:
    if name in OPERATIONS or is_own(name):
        return [name]
    if name in AUGMENTATIONS:
        return AUGMENTATIONS[name]
    raise unknown(kind, name, {**AUGMENTATIONS, **OPERATIONS})


def _resolved(place: str) -> OwnAugmentation:
    function = resolve(place, "augmentation")
    if not callable(function):
        raise ValueError(f"Own augmentation {place!r} must be a function. Received: {function!r}")
    return function


def _name_of(function: OwnAugmentation) -> str:
    return getattr(function, "__qualname__", None) or repr(function)


def _check(augment: Augment, steps: Sequence[Step], backend: Backend) -> None:
    for step in steps:
        if step.own is None and backend not in OPERATIONS[step.name].backends:
            fit = [name for name, each in OPERATIONS.items() if backend in each.backends]
            there = ", ".join(OPERATIONS[step.name].backends)
            raise ValueError(
                f"Augmentation {augment!r} runs on {there} only: {backend} has no operation "
                f"{step.name!r}. It has {', '.join(fit)}."
            )
        if step.mixes and step is not steps[-1]:
            raise ValueError(
                f"Operation {step.name!r} mixes whole images and makes their labels soft: it must "
                f"be the last one. Received: augment={augment!r}"
            )
