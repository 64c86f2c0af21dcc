"""Arrays of a user's own as `Data`."""

from collections.abc import Sequence
from typing import Any

from kcnn.data.folds import Share
from kcnn.data.in_memory import InMemory
from kcnn.data.loading import Data, load

Pair = tuple[Any, Any]
"""Images [N, H, W, C] and their labels."""


def from_arrays(  # noqa: PLR0913 - what arrays do not say by themselves
    images: Any,
    labels: Any,
    *,
    test: Pair | None = None,
    validation: Pair | Share = 0.1,
    class_names: Sequence[str] | None = None,
    mirror: bool = True,
    pixels: bool = True,
    groups: Any = None,
    **options: Any,
) -> Data:
    """Make a data set of arrays, split and augmented as `load` does it.

    Args:
        images: Raw pixels of 0 to 255, [N, H, W, C], or [N, H, W] for gray ones; with
            `pixels=False` any numbers.
        labels: Class numbers [N] or [N, 1] from 0, one-hot [N, classes], or names [N].
        test: Images and labels of the test set; None cuts a fifth off.
        validation: Those of the validation set, the share of the training images that become it,
            or a `kcnn.data.Fold` of them.
        class_names: One name a class; by default the names in `labels`, else the numbers.
        mirror: Whether a mirror image still belongs to its class. False for digits and text.
        pixels: False for series [N, steps, channels], voxels [N, depth, height, width, channels]
            and images whose numbers are no raw pixels. They become float32 and stay as they are,
            without augmentation.
        groups: The group of each image, [N], such as the number of a patient: images of one group
            stay together when test and validation images are split off.
        **options: `batch_size`, `augment`, `sampling`, `seed` and `limit` of `load`.

    Raises:
        ValueError: If images or labels are something else, or an option is out of range.

    >>> import numpy as np
    >>> images = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    >>> data = from_arrays(images, np.arange(60) % 2, class_names=["cat", "dog"], batch_size=8)
    >>> data.num_train, data.num_validation, data.num_test, data.class_names
    (43, 5, 12, ('cat', 'dog'))
    """
    pair = validation if isinstance(validation, tuple | list) else None
    share = {} if isinstance(validation, tuple | list) else {"validation": validation}
    kind: dict[str, Any] = {"mirror": mirror, "pixels": pixels, "groups": groups}
    source = InMemory.of((images, labels), pair, test, class_names, **kind)
    if not pixels and options.setdefault("augment", "none") != "none":
        raise ValueError(
            "Augmentation changes raw pixels of images: leave augment out with pixels=False. "
            f"Received: augment={options['augment']!r}."
        )
    return load(source, **share, **options)
