"""One process at a time in a run's folder, and a lock that dies with its process."""

import subprocess
import sys

import pytest

from kcnn.pipeline.lock import lock
from tests.bad_disk import HOLD

pytest.importorskip("fcntl", reason="nothing is locked on Windows")


def test_the_lock_of_another_process_is_respected_and_dies_with_it(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(ValueError, match="Another run is writing into"), lock(tmp_path):
            pass
        other.kill()
    with lock(tmp_path):
        assert not list(tmp_path.iterdir()), "no file is left of it"
    with lock(tmp_path / "new"):
        pass
