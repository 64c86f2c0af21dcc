"""A model as a C array, for the flash of a microcontroller without a file system."""

from pathlib import Path

_BYTES_PER_LINE = 16

_HEADER = """\
// The model as bytes, for TensorFlow Lite Micro. See classifier_micro.cc.
#ifndef MODEL_DATA_H_
#define MODEL_DATA_H_

extern const unsigned char g_model_data[];
extern const unsigned int g_model_data_len;

#endif  // MODEL_DATA_H_
"""


def write_c_array(data: bytes, folder: Path) -> list[Path]:
    """Write `model_data.h` and `model_data.cc`, and return their paths.

    The array is aligned to 16 bytes, because TensorFlow Lite Micro reads it in place.
    """
    lines = [
        "  " + ", ".join(f"0x{byte:02x}" for byte in data[start : start + _BYTES_PER_LINE]) + ","
        for start in range(0, len(data), _BYTES_PER_LINE)
    ]
    source = "\n".join(
        [
            '#include "model_data.h"',
            "",
            "alignas(16) const unsigned char g_model_data[] = {",
            *lines,
            "};",
            f"const unsigned int g_model_data_len = {len(data)};",
            "",
        ]
    )
    paths = []
    for name, text in (("model_data.h", _HEADER), ("model_data.cc", source)):
        (folder / name).write_text(text)
        paths.append(folder / name)
    return paths
