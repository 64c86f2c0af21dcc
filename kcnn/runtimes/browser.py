"""Open a page in a Chromium without a window, and wait for the result that the page posts."""

import queue
import subprocess
import tempfile
import time
from typing import Any

from kcnn.child_process import die_with_parent
from kcnn.runtimes.page_server import Find, Visits, serve
from kcnn.runtimes.process import end

_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # Chromium refuses to run as root with it, as in containers; the page is ours
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_SILENCE = 120.0  # seconds


def open_page(chromium: str, find: Find, path: str, *, timeout: float) -> dict[str, Any]:
    """Open a page and return the JSON object that it posts to `result`.

    Args:
        chromium: the program.
        find: the files that the page may request.
        path: of the page, with its query.
        timeout: seconds after which the browser is ended.

    Raises:
        RuntimeError: the browser does not start or stops before there is a result, or the page
            takes too long, or requests nothing for two minutes.
    """
    visits = Visits()
    # An ended browser may leave half-written files, whose removal can fail: that is no error.
    fresh = tempfile.TemporaryDirectory(prefix="kcnn-", ignore_cleanup_errors=True)
    with serve(find, visits) as address, fresh as profile:
        command = [chromium, *_FLAGS, f"--user-data-dir={profile}", f"{address}/{path}"]
        try:
            process = subprocess.Popen(
                die_with_parent(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise RuntimeError(f"Cannot start {chromium}: {error.strerror}.") from error
        try:
            return _wait(process, visits, timeout)
        finally:
            end(process)


def _wait(process: subprocess.Popen, visits: Visits, timeout: float) -> dict[str, Any]:
    started = time.monotonic()
    while True:
        try:
            return visits.results.get(timeout=0.2)
        except queue.Empty:
            now = time.monotonic()
        if process.poll() is not None:
            raise RuntimeError(f"The browser stopped with status {process.returncode}.")
        if now - started > timeout:
            raise RuntimeError(
                f"The page took longer than {timeout:g} s: raise the timeout, or pass fewer images."
            )
        if now - visits.latest > _SILENCE:
            raise RuntimeError(f"The page has stopped: it requested nothing for {_SILENCE:g} s.")
