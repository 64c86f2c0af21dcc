"""Open a page in a Chromium without a window, and wait for the result that the page posts."""

import json
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from kcnn.runtimes.process import end

_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
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
_LARGEST_RESULT = 2**30
_SILENCE = 120.0  # seconds

Find: TypeAlias = Callable[[str], bytes | None]
"""Returns the content of a path, which has no leading slash; None if there is no such file."""


def open_page(chromium: str, find: Find, path: str, *, timeout: float) -> dict[str, Any]:
    """Open a page and return the JSON object that it posts to `/result`.

    Args:
        chromium: the program.
        find: the files that the page may request.
        path: of the page, with its query.
        timeout: seconds after which the browser is ended.

    Raises:
        RuntimeError: the browser does not start or stops before there is a result, or the page
            takes too long, or requests nothing for two minutes.
    """
    results: queue.Queue[dict[str, Any]] = queue.Queue()
    requested = [time.monotonic()]  # when the last request came
    # An ended browser may leave half-written files, whose removal can fail: that is no error.
    fresh = tempfile.TemporaryDirectory(prefix="kcnn-", ignore_cleanup_errors=True)
    with _serving(find, results, requested) as address, fresh as profile:
        command = [chromium, *_FLAGS, f"--user-data-dir={profile}", f"{address}/{path}"]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise RuntimeError(f"Cannot start {chromium}: {error.strerror}.") from error
        try:
            return _wait(process, results, requested, timeout)
        finally:
            end(process)


def _wait(
    process: subprocess.Popen, results: queue.Queue, requested: list[float], timeout: float
) -> dict[str, Any]:
    started = time.monotonic()
    while True:
        try:
            return results.get(timeout=0.2)
        except queue.Empty:
            now = time.monotonic()
        if process.poll() is not None:
            raise RuntimeError(f"The browser stopped with status {process.returncode}.")
        if now - started > timeout:
            raise RuntimeError(
                f"The page took longer than {timeout:g} s: raise the timeout, or pass fewer images."
            )
        if now - requested[0] > _SILENCE:
            raise RuntimeError(f"The page has stopped: it requested nothing for {_SILENCE:g} s.")


@contextmanager
def _serving(find: Find, results: queue.Queue, requested: list[float]) -> Iterator[str]:
    """Serve on a free port that only this machine can reach; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested[0] = time.monotonic()
            path = unquote(urlsplit(self.path).path).lstrip("/") or "index.html"
            content = find(path)
            self._answer(200 if content is not None else 404, content or b"", Path(path).suffix)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            if self.path != "/result" or length > _LARGEST_RESULT:
                return self._answer(404, b"", "")
            content = self.rfile.read(length)
            self._answer(200, b"", "")
            results.put(json.loads(content))

        def _answer(self, status: int, content: bytes, suffix: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", _TYPES.get(suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(len(content)))
            # A page that is isolated from other origins gets a clock of microseconds.
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
