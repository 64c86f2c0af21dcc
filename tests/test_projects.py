"""The bundle's plain C and the projects around it: what can be compiled here is compiled."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chip_compiler import compile_for

from kcnn.bundle.c_array import write_c_array
from kcnn.bundle.projects import write_projects
from kcnn.bundle.snippets import write_readme, write_snippets
from kcnn.litert import summarize

SAVED = Path(__file__).parents[1] / "saved_models"
MODEL = SAVED / "simple_cnn/model_int8.tflite"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    images = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), np.uint8)
    (folder / "snippets").mkdir()
    write_snippets(summarize(MODEL), folder / "snippets", arena_bytes=1, arena_note="A guess.")
    write_c_array(MODEL.read_bytes(), folder / "snippets")
    assert write_projects(MODEL, folder, images) is None
    return folder


def test_the_pc_project_builds_and_passes_its_golden_test(made, tmp_path):
    if shutil.which("cmake") is None or shutil.which("cc") is None:
        pytest.skip("no CMake or no C compiler")
    golden = (made / "c/golden.h").read_text()
    assert "GOLDEN_IMAGES = 21" in golden  # 64 KB of images
    build = tmp_path / "build"
    for command in (
        ["cmake", "-S", made / "projects/pc", "-B", build],
        ["cmake", "--build", build],
        ["ctest", "--test-dir", build],
    ):
        subprocess.run(command, check=True, capture_output=True)
    done = subprocess.run([build / "golden"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "0 of 21 golden images differ\n")
    # An output that is not the golden one fails.
    start = golden.index("golden_outputs[GOLDEN_IMAGES]")
    first = golden.index("{", golden.index("{", start) + 1) + 1
    changed = golden[:first] + " 1 +" + golden[first:]
    (made / "c/golden.h").write_text(changed)
    try:
        subprocess.run(["cmake", "--build", build], check=True, capture_output=True)
        assert subprocess.run([build / "golden"], capture_output=True).returncode == 1
    finally:
        (made / "c/golden.h").write_text(golden)


@pytest.mark.parametrize("target", ["host", "cortex-m4"])
@pytest.mark.parametrize(
    "file", ["platformio/src/main.cpp", "esp_idf/main/main.c", "zephyr/src/main.c"]
)
def test_the_projects_of_chips_compile_against_stub_headers(file, target, made, tmp_path):
    source = made / "projects" / file
    compile_for(target, source, tmp_path / "main.o", [made / "c"])
    # What the project's build file names is there.
    for build in source.parent.glob("CMakeLists.txt"):
        for name in ("../../../c/model.c", "../../../c"):
            assert name in build.read_text() and (build.parent / name).exists()


def test_the_sources_of_chips_compile_for_a_chip(made, tmp_path):
    folders = [made / "c", made / "snippets"]
    for file in ("c/model.c", "snippets/classifier_micro.cc", "snippets/model_data.cc"):
        compile_for("cortex-m4", made / file, tmp_path / "source.o", folders)


def test_a_network_without_plain_c_says_why(tmp_path):
    summary = summarize(MODEL)
    named = replace(summary, labels=tuple("abcdefghij"))
    write_readme(
        named, tmp_path, name="net", golden=10, score=None, no_plain_c="Plain C has no code for X."
    )
    text = (tmp_path / "README.md").read_text()
    assert "There is no plain C: Plain C has no code for X." in text and "Zephyr" not in text
