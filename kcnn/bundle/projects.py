"""Minimal projects that build, and the model as plain C with the golden test inside."""

import platform
import shutil
from pathlib import Path

import numpy as np

from kcnn.bundle.photographs import TOLERANCE
from kcnn.bundle.snippets import write_template
from kcnn.litert import summarize
from kcnn.plain_c import write_c
from kcnn.runtimes import litert
from kcnn.runtimes.runtime import ROUNDING, prepare

_APPS = (
    "litert/CMakeLists.txt",
    "android/settings.gradle.kts",
    "android/classifier/build.gradle.kts",
    "android/classifier/src/androidTest/kotlin/GoldenTest.kt",
    "swift/Package.swift",
    "swift/Tests/ClassifierTests/GoldenTests.swift",
)
# A Swift package has its sources inside its own folder.
_SWIFT = ("Classifier.swift", "Picture.swift")
_PLAIN_C = (
    "pc/CMakeLists.txt",
    "pc/main.c",
    "platformio/platformio.ini",
    "platformio/src/main.cpp",
    "esp_idf/CMakeLists.txt",
    "esp_idf/main/CMakeLists.txt",
    "esp_idf/main/main.c",
    "zephyr/CMakeLists.txt",
    "zephyr/prj.conf",
    "zephyr/src/main.c",
)
# Bytes of golden images that are compiled in: they take flash beside the model.
_GOLDEN_BYTES = 2**16


def write_projects(model: Path, folder: Path, images: np.ndarray) -> str | None:
    """Write `c/`, the model as plain C, and `projects/`, which build it and the snippets.

    The folder must have its snippets.

    Args:
        model: the int8 file.
        folder: of the bundle.
        images: golden images, uint8 `(count, height, width, channels)`.

    Returns:
        None, or why plain C cannot compute this model; then nothing of it is written.
    """
    facts = {
        "model": model.name,
        "stored": summarize(model).inputs[0].dtype,
        "machine": platform.machine(),
        "rounding": ROUNDING,
        "tolerance": TOLERANCE,
    }
    for name in _APPS:
        write_template(folder / "projects" / name, facts, template=f"projects/{name}")
    sources = folder / "projects/swift/Sources/Classifier"
    sources.mkdir(parents=True)
    for name in _SWIFT:
        shutil.copyfile(folder / "snippets" / name, sources / name)
    try:
        write_c(model, folder / "c/model.c")
    except ValueError as error:
        return str(error).replace(str(model), model.name)
    count = max(1, min(len(images), _GOLDEN_BYTES // images[0].size))
    data = model.read_bytes()
    task = prepare(data, images[:count])
    outputs = litert.run(data, images[:count], kernels="reference").outputs
    values = {
        "stored": task.source.dtype,
        "images": task.pixels.reshape(count, -1).tolist(),
        "outputs": outputs.tolist(),
    }
    write_template(folder / "c/golden.h", values)
    for name in _PLAIN_C:
        write_template(folder / "projects" / name, {}, template=f"projects/{name}")
    return None
