"""Trainings on several devices take the steps that they take on one."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kcnn
from kcnn.pipeline.process_variables import wait_for_first
from tests.command import run_command

ROOT = Path(kcnn.__file__).parents[1]


def process(program, *, backend, devices=1, **variables):
    """Start a process with so many virtual CPUs."""
    of_jax = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "PYTHONPATH": str(ROOT),
        **(of_jax if backend == "jax" else {}),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # they compile for most of their time
        **{name: str(value) for name, value in variables.items()},
    }
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([sys.executable, *program], env=environment, cwd=ROOT, **output)


def end(started):
    text = started.communicate(timeout=300)[0]
    assert started.returncode == 0, text[-3000:]
    return text


@pytest.fixture(scope="module", params=["jax", "tensorflow"])
def found(request, tmp_path_factory):
    pytest.importorskip("jax")
    folder = tmp_path_factory.mktemp(request.param)
    program = ["-m", "tests.several_devices", str(folder)]
    end(process(program, backend=request.param, devices=8))
    return request.param, json.loads((folder / "done.json").read_text())


def alike(one, other):
    assert one["history"].keys() == other["history"].keys()
    for name, values in one["history"].items():
        np.testing.assert_allclose(values, other["history"][name], rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(one["weights"], other["weights"], rtol=2e-3, atol=2e-3)


def test_the_loss_curve_is_that_of_one_device(found):
    backend, done = found
    assert len(done["one"]["history"]["loss"]) == 3
    if backend == "jax":
        assert done["devices"] == 8
        alike(done["8"], done["one"])
    else:
        alike(done["2"], done["one"])
        alike(done["adam, 2"], done["adam"])
        assert done["one device strategy"]["history"]


def test_a_stop_a_change_of_devices_and_images_from_the_disk_change_nothing(found):
    """Also after a stop in the middle of an epoch, from which it goes on with four devices."""
    backend, done = found
    if backend == "jax":
        alike(done["streamed"], done["one"])
        alike(done["streamed on four, resumed"], done["one"])


def together(program, others=None):
    """Start two processes that find each other on the loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    return [
        process(
            others if others and number else program,
            backend="jax",
            KERAS_DISTRIBUTION_JOB_ADDRESSES=address,
            KERAS_DISTRIBUTION_NUM_PROCESSES=2,
            KERAS_DISTRIBUTION_PROCESS_ID=number,
        )
        for number in range(2)
    ]


def test_a_signal_to_one_of_two_processes_stops_both_after_the_same_step(found, tmp_path):
    """They ask each other after every second step; what they go on with is what one would do."""
    backend, one = found
    if backend != "jax":
        pytest.skip("TensorFlow trains on the devices of one process")
    for each in together(["-m", "tests.two_processes", str(tmp_path)]):
        end(each)
    first, second = (json.loads((tmp_path / f"done-{n}.json").read_text()) for n in range(2))
    assert first["stopped"] == second["stopped"] == [signal.SIGTERM, 0, 4]
    for each in (first, second):
        alike(each["gone on"], one["one"])
        assert "those of process 2 of 2 differ" in each["other seed"]
        assert "Received: process 2 of 2" in each["number"]
        assert "needs the port, too" in each["address"]
        assert "pass --devices all" in each["devices"]
    assert "Process 2 of 2 cannot take part" in first["absent"]


def test_each_device_does_its_share(found):
    backend, done = found
    if backend == "jax":
        assert done["flops"]["all"] < 0.3 * done["flops"]["one"]


def test_what_cannot_be_followed_is_refused_by_name(found):
    backend, done = found
    said = done["said"]
    assert all("\n" not in text for text in said.values())
    if backend == "jax":
        assert "20 images cannot be shared equally among 8 devices" in said["unequal"]
        assert "of 16 or 24" in said["unequal"]
        assert "Received: ModelParallel" in said["model parallel"]
        assert "at most 8. Received: devices=9" in said["too many"]
    else:
        assert "15 images cannot be shared equally among 2 devices" in said["unequal"]
        assert "Make the optimizer in the scope" in said["outside"]
        assert "works on JAX only" in said["keras.distribution"]


def test_a_first_process_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setenv("KERAS_DISTRIBUTION_PROCESS_ID", "1")
    monkeypatch.setenv("KERAS_DISTRIBUTION_JOB_ADDRESSES", "127.0.0.1:9")
    with pytest.raises(RuntimeError, match="cannot be reached at 127.0.0.1:9: .*refused"):
        wait_for_first(seconds=0)


def test_devices_that_are_not_there_are_refused_in_one_line(capsys, tmp_path):
    for value, said in (("0", "at least 1, or all"), ("many", "at least 1, or all")):
        assert run_command("run", "quickstart", "--devices", value) == 1
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
