"""Labelled images that a finished model is scored on, in the order of its classes."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import tensorflow as tf

from kcnn.data import labelled
from kcnn.data.array_file import ArrayFile
from kcnn.data.channels import WithChannels
from kcnn.data.classes import check_names, check_part, in_order_of, warn_of_missing
from kcnn.data.examples import as_examples
from kcnn.data.feed import in_order
from kcnn.data.folder import Folder
from kcnn.data.opened import Source
from kcnn.data.reading import read_parts
from kcnn.data.sources import as_source
from kcnn.data.splits import cut_test

if TYPE_CHECKING:
    from kcnn.data.opened import Part

logger = logging.getLogger("kcnn")

_BATCH = 128


@dataclass(frozen=True)
class HeldOut:
    """Test images, ready to be scored.

    Attributes:
        test: Batches of uint8 images [B, H, W, C] and int32 labels [B], in order.
        num_test: Number of images.
        class_names: One name a label; classes without an image are among them.
        image_shape: (height, width, channels).
    """

    test: tf.data.Dataset
    num_test: int
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]


def load_held_out(
    name: str | os.PathLike | Source,
    class_names: Sequence[str] = (),
    *,
    image_size: tuple[int, int] | None = None,
    data_dir: str | os.PathLike | None = None,
) -> HeldOut:
    """Load images to score a trained model on, numbered as the model numbers its classes.

    Of a folder without `train`, all images are used: those in `test`, or in class folders that lie
    directly in it. Of other sources it is the test set, as `load` returns it.

    Args:
        name: As in `load`.
        class_names: The model's classes, in its order; empty for the order of the source.
        image_size: As in `load`.
        data_dir: As in `load`.

    Raises:
        ValueError: If the images cannot be used, or one is of a class that the model has not.
        RuntimeError: If the set is not prepared and cannot be downloaded.

    >>> held_out = load_held_out("digits")
    >>> held_out.num_test, held_out.image_shape
    (359, (32, 32, 3))
    """
    origin = as_source(name, image_size)
    part, names = _test_part(origin, data_dir)
    check_names(names)
    check_part("test labels", part, len(names))
    if class_names:
        wanted = tuple(class_names)
        part, names = in_order_of(part, names, wanted), wanted
    none = part.subset(part.labels[:0])
    warn_of_missing(names, test=part)
    held = part.num_bytes <= labelled.RAM_LIMIT
    *_, part = read_parts((none, none, part), held=held)
    test = in_order(as_examples(part), _BATCH)
    cast("Any", test).holds_test_images = True  # export refuses to calibrate on them
    return HeldOut(test, len(part), names, part.image_shape)


def _test_part(
    origin: Source, data_dir: str | os.PathLike | None
) -> "tuple[Part, tuple[str, ...]]":
    inner = origin.source if isinstance(origin, WithChannels) else origin
    if isinstance(inner, Folder | ArrayFile):
        part, names = inner.open_held_out()
        if part is not None:
            logger.info("all %d images in %s are scored.", len(part), inner.path)
            return (origin.changed(part) if isinstance(origin, WithChannels) else part), names
    opened = origin.open(data_dir)
    part = cut_test(opened) if opened.test is None else opened.test
    return part, opened.class_names
