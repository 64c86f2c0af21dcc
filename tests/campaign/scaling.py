"""Real processes: two that train one network, and two machines that share a study in PostgreSQL.

    pytest -n 0 tests/campaign/scaling.py

They take minutes on two cores, so they are no part of the tests.
"""

import csv
import socket

import pytest

from kcnn.report.study_report import load
from tests import postgres
from tests.test_devices import end, process
from tests.test_shared_study import end as end_worker
from tests.test_shared_study import worker, written


def test_two_processes_make_one_run(tmp_path):
    """Two real processes on the loopback: one folder, the losses of a process alone."""
    pytest.importorskip("jax")
    settings = ["data.name=digits", "data.limit=200", "data.batch_size=24", "train.epochs=2"]
    words = ["run", "quickstart", *[word for each in settings for word in ("--set", each)]]
    program = ["-c", "from kcnn.cli import main; main()", *words]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    together = [
        process(
            [*program, "--devices", "all", "--out", str(tmp_path / "together")],
            backend="jax",
            KERAS_DISTRIBUTION_JOB_ADDRESSES=address,
            KERAS_DISTRIBUTION_NUM_PROCESSES=2,
            KERAS_DISTRIBUTION_PROCESS_ID=number,
        )
        for number in range(2)
    ]
    texts = [end(each) for each in together]
    end(process([*program, "--out", str(tmp_path / "alone")], backend="jax"))
    assert "process 2 of 2, with 1 of 2 devices" in texts[1]
    histories = []
    for name in ("together", "alone"):
        with open(tmp_path / name / "history.csv", newline="") as file:
            histories.append(
                [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
            )
    for one, other in zip(*histories, strict=True):
        assert one == pytest.approx(other, rel=2e-3, abs=1e-3)
    assert (tmp_path / "together" / "report.html").is_file()
    assert {each.name for each in tmp_path.iterdir()} == {"together", "alone"}


def test_two_machines_share_a_study_in_postgresql(tmp_path):
    """Each has its own folder; no trial is done twice, and none is left."""
    binaries = postgres.programs()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    file = written(tmp_path, 1)
    folders = [tmp_path / name / "study" for name in ("one", "other")]
    with postgres.server(binaries) as url:
        machines = [worker(file, folder, "--trials", "2", "--storage", url) for folder in folders]
        for machine in machines:
            end_worker(machine)
    for folder in folders:
        report = load(folder / "study.json")
        assert [each.state for each in report.trials] == ["complete"] * 2
    runs = [{each.name for each in folder.glob("trial-*")} for folder in folders]
    assert runs[0] | runs[1] == {"trial-0000", "trial-0001"}
    assert not runs[0] & runs[1]
