"""A `.tflite` file from others is opened in a process of its own first."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ai_edge_litert.tools.flatbuffer_utils import (
    convert_bytearray_to_object,
    convert_object_to_bytearray,
)
from crash import crash_trial_of

from kcnn.litert.trial import try_file

FILE = Path(__file__).parents[1] / "saved_models/resnet8_int8/model_int8.tflite"
KCNN = Path(sys.executable).with_name("kcnn")


def refusal(path, **how):
    with pytest.raises(ValueError, match=path.name) as raised:
        try_file(path, **how)
    assert len(str(raised.value).splitlines()) == 1
    return str(raised.value)


@pytest.mark.parametrize("run", [False, True])
def test_a_whole_file_is_accepted(run):
    try_file(FILE, run=run)


def test_what_is_no_model_is_refused_in_the_usual_words(tmp_path):
    path = tmp_path / "model.tflite"
    assert "Cannot read" in refusal(path, run=False)
    path.write_bytes(b"nothing")
    assert "is not a TensorFlow Lite model (7 bytes" in refusal(path, run=False)
    path.write_bytes(FILE.read_bytes()[:-9000])
    assert "damaged" in refusal(path, run=True)


def test_a_file_that_takes_all_memory_is_refused(tmp_path):
    model = convert_bytearray_to_object(FILE.read_bytes())
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shape = [1, 9000, 9000, 3]
    path = tmp_path / "large.tflite"
    path.write_bytes(convert_object_to_bytearray(model))
    started = time.monotonic()
    assert "too much memory" in refusal(path, run=True, memory=2**30)
    assert time.monotonic() - started < 30


def test_a_file_that_never_ends_is_refused(tmp_path):
    path = tmp_path / "endless.tflite"
    os.mkfifo(path)
    assert "longer than 2 s" in refusal(path, run=False, seconds=2)


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="finds the child through /proc")


@LINUX
def test_a_crash_of_the_child_is_a_refusal():
    crash_trial_of(os.getpid())
    assert "(SIGSEGV)" in refusal(FILE, run=True)


@LINUX
@pytest.mark.parametrize("command", [("inspect",), ("evaluate", "--data", "digits")])
def test_a_command_survives_a_file_that_crashes_litert(command, tmp_path):
    path = tmp_path / "model.tflite"
    shutil.copy(FILE, path)
    process = subprocess.Popen(
        [KCNN, command[0], path.name, *command[1:]],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "300"},
    )
    crash_trial_of(process.pid)
    _, written = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "model.tflite" in written and "(SIGSEGV)" in written and "Traceback" not in written
    assert len(written.strip().splitlines()) == 1
