"""One process at a time in a run's folder, and a lock that dies with its process."""

import os
import subprocess
import sys

import pytest

from kcnn.pipeline.lock import lock
from tests.command import started

pytest.importorskip("fcntl", reason="nothing is locked on Windows")

HOLD = """
import sys
from pathlib import Path
from kcnn.pipeline.lock import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_of_another_process_is_respected_and_dies_with_it(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(ValueError, match="Another run is writing into"), lock(tmp_path):
            pass
        other.kill()
    with lock(tmp_path):
        assert not list(tmp_path.iterdir()), "no file is left of it"
    with lock(tmp_path / "new"):
        pass


def test_a_folder_that_has_just_taken_its_place_is_not_taken_for_the_locked_one(
    tmp_path, monkeypatch
):
    """A run ends between the moments in which another one opens its folder and locks it."""
    folder, opened = tmp_path / "run", os.open

    def open_before_the_exchange(path, flags):
        handle = opened(path, flags)
        os.rename(folder, tmp_path / "old")
        folder.mkdir()
        return handle

    folder.mkdir()
    monkeypatch.setattr(os, "open", open_before_the_exchange)
    with pytest.raises(ValueError, match="Another run is writing into"), lock(folder):
        pass
