"""A PostgreSQL server of Debian's package, for the tests of studies that machines share."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def programs() -> Path | None:
    """Return the folder with PostgreSQL's programs, None where it is not installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


@contextmanager
def server(binaries: Path) -> Iterator[str]:
    """Run a server while inside, and yield the URL of its database."""
    root, user = os.geteuid() == 0, {}
    folder = Path(tempfile.mkdtemp(prefix="kcnn-postgres-"))
    if root:  # as which no server runs
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    options = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, **user}
    make = [binaries / "initdb", "-D", "data", "-U", "kcnn", "-A", "trust", "--no-sync"]
    subprocess.run([*make, "-E", "UTF8", "--locale=C"], check=True, **options)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [binaries / "postgres", "-D", "data", "-k", folder, "-h", "127.0.0.1", "-p", port]
    with subprocess.Popen([*command, "-F"], **options) as running:
        try:
            ready = [binaries / "pg_isready", "-h", "127.0.0.1", "-p", port, "-U", "kcnn"]
            for _ in range(300):
                if subprocess.run(ready, **options).returncode == 0:
                    break
                time.sleep(0.1)
            yield f"postgresql://kcnn:unused@127.0.0.1:{port}/postgres"
        finally:
            running.send_signal(signal.SIGINT)  # also with clients that are still there
    shutil.rmtree(folder)
