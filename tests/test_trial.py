"""A `.tflite` file from others is opened in a process of its own first."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.tools.flatbuffer_utils import (
    convert_bytearray_to_object,
    convert_object_to_bytearray,
)
from crash import crash_trial_of

import kcnn
from kcnn.export import export_tflite
from kcnn.litert import TFLiteClassifier, summarize
from kcnn.litert.native_log import native_log, native_output
from kcnn.litert.trial import try_model
from kcnn.runtimes import RUNTIMES

SAVED = Path(__file__).parents[1] / "saved_models"
FILE = SAVED / "resnet8_int8/model_int8.tflite"
KCNN = Path(sys.executable).with_name("kcnn")
IMAGES = np.zeros((2, 32, 32, 3), np.uint8)


def refusal(path, use, *, data=None, **how):
    with pytest.raises(ValueError, match=path.name) as raised:
        try_model(path.read_bytes() if data is None else data, path, use, **how)
    assert len(str(raised.value).splitlines()) == 1
    return str(raised.value)


@pytest.fixture
def file(tmp_path):
    """A whole file that this process has never seen."""
    model = convert_bytearray_to_object(FILE.read_bytes())
    model.description = str(tmp_path).encode()
    path = tmp_path / "model.tflite"
    path.write_bytes(convert_object_to_bytearray(model))
    return path


@pytest.mark.parametrize("use", ["read", "run", "map"])
def test_a_whole_file_is_accepted(use, file):
    try_model(file.read_bytes(), file, use)


def test_what_is_no_model_is_refused_in_the_usual_words():
    assert "damaged" in refusal(FILE, "read", data=b"nothing")
    assert "damaged" in refusal(FILE, "run", data=FILE.read_bytes()[:-9000])


def test_a_file_that_takes_all_memory_is_refused(file):
    model = convert_bytearray_to_object(file.read_bytes())
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shape = [1, 6000, 6000, 3]  # several GB of feature maps
    data = bytes(convert_object_to_bytearray(model))
    refusal(file, "run", data=data, memory=2**30)


def test_a_file_that_takes_too_long_is_refused(file):
    assert "longer than 0.01 s" in refusal(file, "read", seconds=0.01)


def test_what_litert_says_is_in_the_line(file):
    model = convert_bytearray_to_object(file.read_bytes())
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shape = [1, 32, 32, 4]  # channels of the first weights: 3
    line = refusal(file, "run", data=bytes(convert_object_to_bytearray(model)))
    assert "failed to prepare" in line


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a pipe")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.tflite")
    (tmp_path / "folder.tflite").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ValueError, match=f"Cannot read .*{name}.tflite: it is no file"):
            TFLiteClassifier(tmp_path / f"{name}.tflite")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script takes the place of Python")
@pytest.mark.parametrize("end", ["kill -ABRT $$", "echo refused; exit 1", "exit 1"])
def test_what_native_code_prints_is_in_the_line(end, file, monkeypatch):
    script = file.with_name("python")
    said = "F0000 conv.cc:12] Check failed: stride > 0"
    script.write_text(
        f"#!/bin/sh\necho 'INFO: Created a delegate.' >&2\necho '{said}' >&2\n{end}\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises((ValueError, RuntimeError)) as raised:
        summarize(file)
    line = str(raised.value)
    assert said in line and "INFO" not in line and len(line.splitlines()) == 1


def test_native_output_stays_where_somebody_reads_it(capfd):
    with native_output(), native_log():
        os.write(2, b"before the crash")
    assert capfd.readouterr().err == "before the crash"


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="finds the child through /proc")

OPENERS = {
    "TFLiteClassifier": TFLiteClassifier,
    "feature map": lambda path: TFLiteClassifier(path, feature_map=True),
    "summarize": summarize,
    "evaluate": lambda path: kcnn.evaluate(path, kcnn.data.load("digits").test),
    "predict": lambda path: kcnn.predict(path, IMAGES),
    "tflite_cam": lambda path: kcnn.explain.tflite_cam(path, IMAGES),
    "drift": lambda path: kcnn.explain.drift(path, path, images=IMAGES),
    "runtimes": lambda path: RUNTIMES["litert"].run(path.read_bytes(), IMAGES),
    "latency": lambda path: kcnn.runtimes.latency({"model": path.read_bytes()}),
}


@LINUX
@pytest.mark.parametrize("name", OPENERS)
def test_a_crash_of_the_child_is_a_refusal_wherever_a_file_is_opened(name, file):
    crash_trial_of(os.getpid())
    with pytest.raises(ValueError, match=r"model.tflite is damaged.*\(SIGSEGV"):
        OPENERS[name](file)


@pytest.fixture
def no_trial(monkeypatch):
    """No child process can be started: what needs a trial fails."""

    def forbid():
        monkeypatch.setattr(sys, "executable", "no_python_here")

    return forbid


@pytest.mark.parametrize("name", ["TFLiteClassifier", "feature map", "summarize", "predict"])
def test_a_file_that_was_tried_is_not_tried_again(name, file, no_trial):
    OPENERS[name](file)
    no_trial()
    copy = file.with_name("copy.tflite")
    shutil.copy(file, copy)
    OPENERS[name](copy)
    with copy.open("ab") as changed:
        changed.write(b" ")
    with pytest.raises(OSError, match="no_python_here"):
        OPENERS[name](copy)


def test_a_file_that_was_read_is_tried_before_it_runs(file, no_trial):
    summarize(file)
    no_trial()
    with pytest.raises(OSError, match="no_python_here"):
        TFLiteClassifier(file)


def test_what_was_exported_here_is_not_tried(tmp_path, no_trial):
    no_trial()
    path = tmp_path / "model.tflite"
    export_tflite(kcnn.models.lenet5((32, 32, 3)), path, quantization="none")
    TFLiteClassifier(path)


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
    assert "model.tflite" in written and "(SIGSEGV" in written and "Traceback" not in written
    assert len(written.strip().splitlines()) == 1
