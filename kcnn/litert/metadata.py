"""TensorFlow Lite's own metadata: what Android Studio and MediaPipe read about a classifier.

MediaPipe refuses a float32 file that does not say how its pixels are normalized, and has names only
for the outputs of a file that says where they are. So every file of images that kcnn writes says
both; those of series and voxels have no metadata. The schema is `metadata_schema.fbs`,
https://www.tensorflow.org/lite/models/convert/metadata. Its Python library does not support Python
3.12 and later, so this file writes the few entries that a classifier needs: the input is an image
of raw pixels, the output holds one score per class, and `labels.txt` names the classes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flatbuffers

from kcnn.litert.final_activation import final_activation
from kcnn.litert.packed import pack, unpack_all
from kcnn.litert.schema import new_buffer, new_metadata, parse, serialize, tables, text
from kcnn.litert.tflite_file import TFLiteSummary

NAME, IDENTIFIER = "TFLITE_METADATA", b"M001"

# Numbers of the schema's enumerations and unions.
_AXIS_LABELS, _IMAGE_PROPERTIES, _NORMALIZATION = 2, 2, 1
_AXES_OF_IMAGES = 4
_COLOR_SPACES = {1: 2, 3: 1}  # number of channels: gray, RGB

Write = Callable[[], Any]


def with_metadata(data: bytes, summary: TFLiteSummary, *, name: str, description: str) -> bytes:
    """Return a classifier's bytes with a metadata entry, and what was packed behind them.

    A classifier of series or voxels is returned as it is: the schema describes images.

    Args:
        data: a model that this process has made.
        summary: what it holds.
        name: of the model, as people read it.
        description: of the model, as people read it.
    """
    if len(summary.inputs[0].shape) != _AXES_OF_IMAGES:
        return data
    model = parse(data)
    buffers = tables(model.buffers)
    several = final_activation(data) == "sigmoid"
    written = _metadata(summary, name, description, several=several)
    model.buffers = [*buffers, new_buffer(written)]
    kept = [each for each in tables(model.metadata) if text(each.name) != NAME]
    model.metadata = [*kept, new_metadata(NAME, len(buffers))]
    described = serialize(model)
    for file, content in unpack_all(data).items():
        described = pack(described, file, content)
    return described


def description_of(summary: TFLiteSummary) -> str:
    """Return what people read about a classifier: the size of its images."""
    shape = "x".join(map(str, summary.inputs[0].shape[1:]))
    return f"Classifies images of {shape} raw pixels. Made by kcnn."


def read_metadata(data: bytes) -> bytes | None:
    """Return the metadata entry of a verified model, None if it has none."""
    model = parse(data)
    for entry in tables(model.metadata):
        if text(entry.name) == NAME:
            return bytes(tables(model.buffers)[entry.buffer].data)
    return None


def _metadata(summary: TFLiteSummary, name: str, description: str, *, several: bool) -> bytes:
    """Return the `ModelMetadata` flatbuffer. Slots have the order of the schema's fields."""
    build = _Builder()
    source, target, *more = summary.inputs + summary.outputs
    image = build.tensor(
        source.name,
        "Raw pixels 0-255, RGB." if source.shape[3] == 3 else "Raw pixels 0-255.",
        {3: build.image(source.shape), 4: build.vector([build.raw_pixels()])},
    )
    # Readers expect a name for each output, and a single output stands for two classes.
    named = len(summary.labels) == target.shape[-1]
    files = [build.axis_labels("labels.txt")] if named else []
    meaning = "One number per class; the largest is the predicted class."
    if target.shape[-1] == 1:
        meaning = f"One number, of the second of two classes: {target.name}."
    elif several:
        meaning = "The probability of each class; the classes do not exclude each other."
    scores = build.tensor(target.name, meaning, {6: build.vector(files)})
    # Readers expect an entry for each output.
    others = [build.tensor(each.name, "The last feature map.", {}) for each in more]
    graph = build.table(10, {2: build.vector([image]), 3: build.vector([scores, *others])})
    texts = {0: build.text(name), 1: build.text(description), 7: build.text("1.0.0")}
    return build.finish(build.table(8, texts | {3: build.vector([graph])}))


class _Builder:
    """Writes tables of the metadata schema; each method returns the offset of what it wrote."""

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder()

    def text(self, value: str) -> int:
        return self._builder.CreateString(value)

    def vector(self, offsets: Sequence[int]) -> int:
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return self._builder.EndVector()

    def table(self, size: int, offsets: Mapping[int, int], *plain: Write) -> int:
        """Write a table of `size` fields: `offsets` by slot, and what `plain` write."""
        self._builder.StartObject(size)
        for slot, offset in offsets.items():
            self._builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for write in plain:
            write()
        return self._builder.EndObject()

    def tensor(self, name: str, description: str, more: dict[int, int]) -> int:
        """Write `TensorMetadata`."""
        return self.table(7, {0: self.text(name), 1: self.text(description)} | more)

    def image(self, shape: Sequence[int]) -> int:
        """Write `Content` with `ImageProperties`: the color space and the size."""
        _, height, width, channels = shape
        put = self._builder
        size = self.table(
            2,
            {},
            lambda: put.PrependUint32Slot(0, width, 0),
            lambda: put.PrependUint32Slot(1, height, 0),
        )
        colors = _COLOR_SPACES.get(channels, 0)
        properties = self.table(2, {1: size}, lambda: put.PrependInt8Slot(0, colors, 0))
        return self.table(3, {1: properties}, lambda: put.PrependUint8Slot(0, _IMAGE_PROPERTIES, 0))

    def raw_pixels(self) -> int:
        """Write a `ProcessUnit`: normalization with mean 0 and standard deviation 1."""
        options = self.table(2, {0: self._floats(0.0), 1: self._floats(1.0)})
        return self.table(
            2,
            {1: options},
            lambda: self._builder.PrependUint8Slot(0, _NORMALIZATION, 0),
        )

    def axis_labels(self, file: str) -> int:
        """Write an `AssociatedFile` that names the elements of the output."""
        texts = {0: self.text(file), 1: self.text("The names of the classes, one per line.")}
        return self.table(5, texts, lambda: self._builder.PrependInt8Slot(2, _AXIS_LABELS, 0))

    def _floats(self, value: float) -> int:
        self._builder.StartVector(4, 1, 4)
        self._builder.PrependFloat32(value)
        return self._builder.EndVector()

    def finish(self, root: int) -> bytes:
        self._builder.Finish(root, file_identifier=IDENTIFIER)
        return bytes(self._builder.Output())
