"""What kcnn starts ends with kcnn, also when SIGKILL ends kcnn in the middle."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kcnn import child_process
from kcnn.child_process import die_with_parent

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal is Linux's own")

# Each writes its process's number to `pid` and waits. `sh` stands for pip, npm and Chromium.
SLEEP = ["sh", "-c", "echo $$ > pid.new && mv pid.new pid && exec sleep 600"]
PARENTS = {
    "run_program": f"""
from kcnn.runtimes.process import run_program
run_program({SLEEP!r}, "A program", timeout=600)
""",
    "browser": """
from kcnn.runtimes.browser import open_page
open_page("./browser", lambda path: None, "", timeout=600)
""",
    "bridge": """
import os
from pathlib import Path
from kcnn.compress.child import start_child
os.mkfifo("job.json")  # the child waits for its job
with start_child(Path(".")) as child:
    Path("pid.new").write_text(f"{child.process.pid}\\n")
    os.rename("pid.new", "pid")
    child.receive()
""",
}


def alive(pid):
    """Return whether a process runs; one that ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def start(folder, code, **how):
    browser = folder / "browser"
    browser.write_text("#!/bin/sh\necho $$ > pid.new && mv pid.new pid && exec sleep 600\n")
    browser.chmod(0o755)
    return subprocess.Popen([sys.executable, "-c", code], cwd=folder, **how)


@LINUX
@pytest.mark.parametrize("name", PARENTS)
def test_a_child_dies_with_its_parent(name, tmp_path):
    parent = start(tmp_path, PARENTS[name])
    assert until((tmp_path / "pid").exists)
    child = int((tmp_path / "pid").read_text())
    try:
        time.sleep(0.3)
        assert parent.poll() is None and alive(child)
        parent.kill()
        parent.wait()
        assert until(lambda: not alive(child), 5)
    finally:
        if alive(child):
            os.kill(child, signal.SIGKILL)


@LINUX
def test_a_child_whose_parent_is_gone_already_does_not_start(tmp_path):
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    command = die_with_parent(["touch", str(tmp_path / "started")])
    command[4] = gone.stdout.decode().strip()
    assert subprocess.run(command).returncode == 1
    assert not (tmp_path / "started").exists()


def test_a_child_of_the_runtimes_ends_with_its_standard_input(tmp_path):
    os.mkfifo(tmp_path / "job.json")  # the child waits for its job
    file = Path(child_process.__file__).parent / "runtimes" / "child.py"
    child = subprocess.Popen([sys.executable, "-P", file, tmp_path], stdin=subprocess.PIPE)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(2)
        child.stdin.close()
        assert child.wait(10) == 1
    finally:
        child.kill()


def test_the_program_itself_is_run(tmp_path):
    code = (
        "import os, sys; print(os.getpid(), sys.argv[1:], len(sys.path) > 3, flush=True); "
        "os.kill(os.getpid(), 9)"
    )
    started = subprocess.Popen(
        die_with_parent([sys.executable, "-c", code, "a b", "--c"]),
        stdout=subprocess.PIPE,
        text=True,
    )
    written, _ = started.communicate()
    assert written == f"{started.pid} ['a b', '--c'] True\n" and started.returncode == -9


def test_what_cannot_be_started_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        die_with_parent(["/nowhere/program"])
    (tmp_path / "program").touch()
    with pytest.raises(PermissionError):
        die_with_parent([tmp_path / "program"])
    (tmp_path / "program").write_bytes(b"\x7fELF")
    (tmp_path / "program").chmod(0o755)
    done = subprocess.run(die_with_parent([tmp_path / "program"]), capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "Cannot start" in done.stderr
