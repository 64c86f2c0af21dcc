"""A page shown by a Chromium that nobody sees, and what it posted when it was done."""

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
    "--no-sandbox",  # it has none where users are root, as in containers; it sees our page only
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_LARGEST_RESULT = 2**30
_SILENCE = 120.0

Find = Callable[[str], bytes | None]


def open_page(chromium: str, find: Find, path: str, *, timeout: float) -> dict:
    """Open a page and return what it posts to `/result`.

    Args:
        chromium: the program.
        find: returns what lies at a path without its leading slash, None if nothing does.
        path: of the page, with its query.
        timeout: seconds after which the browser is ended.

    Raises:
        RuntimeError: the browser does not start or stops before there is a result, the page
            takes too long, or has asked for nothing for two minutes.
    """
    results, asked = queue.Queue(), [time.monotonic()]
    # What it was still writing when it was ended must not make a result an error.
    fresh = tempfile.TemporaryDirectory(prefix="kcnn-", ignore_cleanup_errors=True)
    with _serving(find, results, asked) as address, fresh as profile:
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
            return _wait(process, results, asked, timeout)
        finally:
            end(process)


def _wait(
    process: subprocess.Popen, results: queue.Queue, asked: list[float], timeout: float
) -> dict:
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
        if now - asked[0] > _SILENCE:
            raise RuntimeError(f"The page has stopped: nothing came from it for {_SILENCE:g} s.")


@contextmanager
def _serving(find: Find, results: queue.Queue, asked: list[float]) -> Iterator[str]:
    """Serve on a free port of this machine, seen by nobody else; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked[0] = time.monotonic()
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
            # Alone with itself, a page has a clock of microseconds.
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
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
