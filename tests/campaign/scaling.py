"""Real processes: two that train one network, two machines that share a study in PostgreSQL, and
the measurements of large sets and of several devices, in small.

    pytest -n 0 -o faulthandler_timeout=0 tests/campaign/scaling.py

They take minutes on two cores, so they are no part of the tests.
"""

import csv
import json
import signal
import subprocess
import sys

import pytest

from kcnn.report.study_report import load
from tests import postgres
from tests.test_devices import end, process, together
from tests.test_shared_study import end as end_worker
from tests.test_shared_study import wait_for, worker, written


def history(file):
    with open(file, newline="") as rows:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(rows)]


def run(settings):
    words = ["run", "quickstart", *[word for each in settings for word in ("--set", each)]]
    return ["-c", "from kcnn.cli import main; main()", *words]


def test_two_processes_make_one_run(tmp_path):
    """Two real processes on the loopback: one folder, the losses of a process alone."""
    pytest.importorskip("jax")
    settings = ["data.name=digits", "data.limit=200", "data.batch_size=24", "train.epochs=2"]
    program = run(settings)
    both = together([*program, "--devices", "all", "--out", str(tmp_path / "together")])
    texts = [end(each) for each in both]
    end(process([*program, "--out", str(tmp_path / "alone")], backend="jax"))
    assert "process 2 of 2, with 1 of 2 devices" in texts[1]
    histories = [history(tmp_path / name / "history.csv") for name in ("together", "alone")]
    for one, other in zip(*histories, strict=True):
        assert one == pytest.approx(other, rel=2e-3, abs=1e-3)
    assert (tmp_path / "together" / "report.html").is_file()
    assert {each.name for each in tmp_path.iterdir()} == {"together", "alone"}


def test_a_signal_to_one_process_stops_the_run_which_goes_on_as_it_began(tmp_path):
    """With the precision of its beginning, which another machine would not choose."""
    pytest.importorskip("jax")
    folder = tmp_path / "run"
    settings = ["data.name=digits", "data.limit=200", "data.batch_size=24", "train.epochs=40"]
    settings += ["prune=none", "quantize=none", "explain=none"]
    words = ["--devices", "all", "--out", str(folder)]
    both = together([*run([*settings, "train.precision=mixed_bfloat16"]), *words])
    wait_for(folder / "history.csv", both[0])
    both[1].send_signal(signal.SIGTERM)
    for each in both:
        text = each.communicate(timeout=300)[0]
        assert each.returncode == 128 + signal.SIGTERM, text[-3000:]
        assert "Stopped." in text and "Traceback" not in text
    journal = json.loads((folder / "run.json").read_text())
    assert not journal["finished"] and len((folder / "history.csv").read_text().splitlines()) < 41
    for each in together([*run([*settings, "train.precision=auto"]), *words]):
        end(each)
    assert len((folder / "history.csv").read_text().splitlines()) == 41


def test_processes_with_other_images_are_refused_before_the_first_step(tmp_path):
    pytest.importorskip("jax")
    settings = ["data.name=digits", "data.batch_size=24", "train.epochs=2"]
    words = ["--devices", "all", "--out", str(tmp_path / "run")]
    limits = ["data.limit=200", "data.limit=220"]
    programs = [[*run([*settings, limit]), *words] for limit in limits]
    for each in together(programs[0], others=programs[1]):
        text = each.communicate(timeout=300)[0]
        assert each.returncode == 1 and "process 2 of 2 differ from the first one's" in text
        assert "Traceback" not in text


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


@pytest.mark.parametrize("name", ["streams", "devices"])
def test_what_is_measured_of_scaling_can_be_measured(name):
    pytest.importorskip("jax")
    command = [sys.executable, "-m", f"benchmarks.large.{name}", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "images_a_second" in done.stdout or "step_s" in done.stdout
