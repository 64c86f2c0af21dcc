"""Read and check the images of all parts, before a training begins."""

import logging
from hashlib import blake2b
from typing import TYPE_CHECKING

from kcnn.data.damaged import Damaged, damage, name_damaged
from kcnn.data.labelled import ImageReader, LabelledImages
from kcnn.errors import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np

    from kcnn.data.opened import Part

    Parts = tuple[Part, Part, Part]

logger = logging.getLogger("kcnn")

_NAMED = 3


def read_parts(parts: "Parts", *, held: bool) -> "Parts":
    """Return training, validation and test images, read into RAM if they are to be `held` there.

    Files that stay on the disk are decoded once as well, so that a damaged one does not end a
    training after hours. An image that is in two parts is warned of.

    Raises:
        Damaged: A ValueError: Files cannot be read; all are named.
    """
    done, digests, problems = [], [], []
    for part in parts:
        try:
            done.append(part.decoded() if held else part)
            digests.append(_digests(done[-1]))
        except Damaged as error:
            problems += error.problems
    if problems:
        if len(problems) > 1:
            name_damaged(problems)
        raise damage(problems)
    train, validation, test = done
    _warn_of_copies(digests, done)
    return train, validation, test


def _digests(part: "Part") -> "Mapping[bytes, int]":
    """Return the place of each image by the digest of its pixels; none if they have no names.

    Raises:
        Damaged: A ValueError: Files cannot be read.
    """
    if isinstance(part, LabelledImages) and part.names:
        return {_digest(image): place for place, image in enumerate(part.images)}
    if not isinstance(part, ImageReader) or not part.names:
        return {}
    logger.info("reading %d image files once, to find damaged ones", len(part))
    found, problems = {}, {}
    for batch, images, damaged in part.batches():
        found |= {_digest(each): int(at) for at, each in zip(batch, images, strict=True)}
        problems |= damaged
    if problems:
        raise damage(problems.values())
    return found


def _digest(image: "np.ndarray") -> bytes:
    return blake2b(image.tobytes(), digest_size=16).digest()


def _warn_of_copies(digests: "list[Mapping[bytes, int]]", parts: "Iterable[Part]") -> None:
    train, *others = zip(digests, parts, ("training", "validation", "test"), strict=True)
    for found, part, kind in others:
        both = [digest for digest in found if digest in train[0]]
        if both:
            pairs = (
                f"{_name(part, found[each])} is {_name(train[1], train[0][each])}" for each in both
            )
            logger.warning(
                "%d %s images are training images, too, which makes their score too good: %s.",
                len(both),
                kind,
                listed(pairs, _NAMED),
            )


def _name(part: "Part", place: int) -> str:
    return repr(getattr(part, "names", ())[place])
