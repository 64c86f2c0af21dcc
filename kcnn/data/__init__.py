"""Images and labels as plain `tf.data.Dataset`: where they come from, split, augmented, batched.

To be read in this order: `examples` is what every source hands over; `digits`, `folder` and
`tfds_source` are the sources; `splits` cuts their examples; `augment` changes whole batches
of images and `mixing` mixes them, labels too; `pipeline` puts it all together in `load`.
"""

from importlib import import_module

from kcnn.data.catalogue import AUGMENTATIONS, SOURCES, names

_HOMES = {
    "Data": "pipeline",
    "Digits": "digits",
    "Folder": "folder",
    "Source": "sources",
    "Tfds": "tfds_source",
    "load": "pipeline",
    "read_image": "images",
    "source": "pipeline",
}

__all__ = ["AUGMENTATIONS", "SOURCES", "names", *_HOMES]


def __getattr__(name: str) -> object:
    # Lazy, so that asking for names does not load TensorFlow.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
