"""A disk that is full, cannot be written or loses a folder costs one line and nothing else."""

import json
import os
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="limits of a process, which Windows has not")

# What differs between two whole runs: times, and the sizes of zip files with times in them.
TIMES = {"run.json", "report.json", "report.html", "model.keras"}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """What one process found; see tests/bad_disk.py."""
    folder = tmp_path_factory.mktemp("disk")
    environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
    environment.pop("KCNN_DEBUG", None)
    command = [sys.executable, "-m", "tests.bad_disk", str(folder)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads((folder / "done.json").read_text())


def line_of(result):
    """Return the one line with which a command failed."""
    assert result["code"] == 1
    assert "Everything is in" not in result["output"]
    assert result["errors"].count("\n") == 1
    assert "bug" not in result["errors"]
    return result["errors"]


def test_a_full_disk_is_one_line_that_names_the_file(done):
    assert len(done["full"]) == 3
    for result in done["full"]:
        assert "File too large: '" in line_of(result)
        assert "Free some room and run the same command again." in line_of(result)
        assert not [name for name in result.get("files", ()) if "-" in name], "half-written files"


def test_after_a_full_disk_the_same_command_ends_as_if_it_had_not_been(done):
    after, whole = done["after full"], done["whole's files"]
    assert after["code"] == 0, after["errors"]
    assert "going on with the run of" in after["output"]
    assert after["files"].keys() == whole.keys()
    equal = {"history.csv", "labels.txt", "recipe.json", "analysis.json"}
    assert equal <= whole.keys()
    for name in equal:
        assert after["files"][name] == whole[name], name


def test_a_full_disk_leaves_a_finished_run_whole(done):
    assert done["whole"]["code"] == 0
    assert done["whole is whole"]


@pytest.mark.campaign
def test_a_file_system_that_is_full_costs_one_line_and_nothing_else(tmp_path):
    """A real one, of 4 MB in memory: only for this process, where Linux allows that."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=4m tmpfs {disk} && exec "
    apart = [shutil.which("unshare") or "unshare", "--user", "--map-root-user", "--mount", "sh"]
    try:
        subprocess.run([*apart, "-c", mount + "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system lets no process mount a file system of its own")
    environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
    environment.pop("KCNN_DEBUG", None)
    command = f"{mount} {sys.executable} -m tests.bad_disk {tmp_path} {disk}"
    ended = subprocess.run([*apart, "-c", command], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-3000:]
    done = json.loads((tmp_path / "done.json").read_text())
    assert "No space left on device: '" in line_of(done["full"])
    assert "Free some room and run the same command again." in line_of(done["full"])
    assert not done["half-written"]
    assert done["after full"]["code"] == 0, done["after full"]["errors"]
    assert "going on with the run of" in done["after full"]["output"]
    assert done["equal"]


def test_a_place_that_cannot_be_written_is_named(done):
    for result, place in zip(done["unwritable"], ("file'", "file'", "/proc/kcnn"), strict=False):
        assert place in line_of(result)


def test_a_folder_that_vanishes_is_noticed_and_not_begun_anew(done):
    for name in ("removed", "renamed"):
        assert "has vanished: the folder was removed, renamed or emptied" in line_of(done[name])
        assert not done[name]["there"]


def test_a_second_process_is_refused_until_the_first_is_gone(done):
    overwriting = line_of(done["second"][1])
    assert "Another run is writing into" in overwriting
    assert done["second left all"]
    assert done["after the second"]["code"] == 0, done["after the second"]["errors"]


def test_a_clock_that_goes_backwards_changes_no_duration(done):
    """Every look at the clock showed an earlier hour."""
    assert "Everything is in" in done["after the second"]["output"]
    assert 0 < done["report"]["training"]["seconds"] < 600
