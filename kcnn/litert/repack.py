"""A `.tflite` model as an object that can be changed, and back as bytes."""

import flatbuffers
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools.flatbuffer_utils import (
    convert_bytearray_to_object,
    convert_object_to_bytearray,
)

ALIGNMENT = 16
"""Bytes. The schema asks for it, and kernels that read constants in place rely on it."""


def unpacked(data: bytes) -> schema.ModelT:
    """Return the model in the bytes of a file, without what is packed behind it."""
    return convert_bytearray_to_object(data)


def repacked(model: schema.ModelT) -> bytes:
    """Return a model as the bytes of a file, every constant at a multiple of 16 bytes."""
    model.buffers = [_Aligned(each.data, each.offset, each.size) for each in model.buffers]
    return bytes(convert_object_to_bytearray(model))


class _Aligned(schema.BufferT):
    """A buffer that is written where the schema's `force_align` wants it.

    The generated class writes its bytes one by one, wherever the last table ended.
    """

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 - the schema's name
        """Write it and return its offset."""
        content = None
        if self.data is not None:
            stored = bytes(bytearray(self.data))
            builder.StartVector(1, len(stored), ALIGNMENT)
            builder.head -= len(stored)
            builder.Bytes[builder.head : builder.head + len(stored)] = stored
            content = builder.EndVector()
        schema.BufferStart(builder)
        if content is not None:
            schema.BufferAddData(builder, content)
        schema.BufferAddOffset(builder, self.offset)
        schema.BufferAddSize(builder, self.size)
        return schema.BufferEnd(builder)
