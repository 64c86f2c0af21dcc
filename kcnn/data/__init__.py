"""Images and labels as plain `tf.data.Dataset`: where they come from, split, augmented, batched.

To be read in this order: `labelled` and `examples` are what every source hands over, to NumPy and
to TensorFlow; `digits`, `folder`, `array_file` and `tfds_source` are the sources; `splits` cuts
their examples; `augment` changes whole batches of images and `mixing` mixes them, labels too;
`pipeline` puts it all together in `load`. `arrays` does so without TensorFlow in `load_arrays`,
and `device` and `device_augment` feed them to JAX.
"""

from importlib import import_module

from kcnn.data.catalogue import AUGMENTATIONS, SOURCES, names

_HOMES = {
    "ArrayFile": "array_file",
    "Arrays": "arrays",
    "Data": "pipeline",
    "DeviceData": "device",
    "Digits": "digits",
    "Folder": "folder",
    "Source": "sources",
    "Tfds": "tfds_source",
    "LabelledImages": "labelled",
    "load": "pipeline",
    "load_arrays": "arrays",
    "read_image": "images",
    "source": "sources",
}

__all__ = ["AUGMENTATIONS", "SOURCES", "names", *_HOMES]


def __getattr__(name: str) -> object:
    # Lazy, so that asking for names does not load TensorFlow.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
