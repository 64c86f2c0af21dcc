"""Serve a page to the one browser that was given its address, and take the result that it posts.

Other programs of this machine, and pages of other sites in a browser, can reach the port too. They
do not know the token in the path. A site whose name is made to stand for this machine sends that
name as Host.
"""

import hmac
import json
import logging
import queue
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

logger = logging.getLogger("kcnn")

_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
_LARGEST_RESULT = 2**30
_SLOWEST_CLIENT = 60.0  # seconds without a byte

Find: TypeAlias = Callable[[str], bytes | None]
"""Returns the content of a path, which has no leading slash; None if there is no such file."""


@dataclass
class Visits:
    """What the page has done so far.

    Attributes:
        results: the JSON objects that it posted.
        latest: when its last request came, by `time.monotonic`.
    """

    results: "queue.Queue[dict[str, Any]]" = field(default_factory=queue.Queue)
    latest: float = field(default_factory=time.monotonic)


@contextmanager
def serve(find: Find, visits: Visits) -> Iterator[str]:
    """Serve on a free port that only this machine can reach; yield the address, without a slash.

    Args:
        find: the files that the page may request.
        visits: filled in as requests come.
    """
    token = secrets.token_urlsafe(16)
    server = _Server(find, visits, token)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{server.host}/{token}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, find: Find, visits: Visits, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.find, self.visits, self.token = find, visits, token
        self.host = f"127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log in one line what went wrong, such as a browser that was ended while it read."""
        logger.debug("A request from %s failed: %r", client_address, sys.exception())


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    timeout = _SLOWEST_CLIENT

    def do_GET(self) -> None:
        path = self._path()
        if path is None:
            return
        path = path or "index.html"
        try:
            content = self.server.find(path)
        except (OSError, ValueError):  # a path with NUL, or a file that cannot be read
            content = None
        if content is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        self._answer(HTTPStatus.OK, content, _TYPES.get(Path(path).suffix))

    def do_POST(self) -> None:
        path = self._path()
        if path is None:
            return
        if path != "result":
            return self.send_error(HTTPStatus.NOT_FOUND)
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return self.send_error(HTTPStatus.LENGTH_REQUIRED)
        if len(length) > 10 or int(length) > _LARGEST_RESULT:
            return self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            result = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            result = None
        if not isinstance(result, dict):
            return self.send_error(HTTPStatus.BAD_REQUEST, "The result is no JSON object")
        self._answer(HTTPStatus.OK, b"")
        self.server.visits.results.put(result)

    def _path(self) -> str | None:
        """Return the path behind the token; None if the request was refused."""
        if self.headers.get_all("Host") != [self.server.host]:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, f"The host is {self.server.host}")
            return None
        try:
            token, _, path = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        except ValueError:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return None
        if not hmac.compare_digest(token.encode(errors="replace"), self.server.token.encode()):
            self.send_error(HTTPStatus.FORBIDDEN, "The address lacks the token")
            return None
        self.server.visits.latest = time.monotonic()
        return path

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer with one line of text, not with the page of HTML that http.server writes."""
        status = HTTPStatus(code)
        self._answer(status, f"{message or status.phrase}.\n".encode(), "text/plain")

    def _answer(self, status: HTTPStatus, content: bytes, kind: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind or "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Content-Type-Options", "nosniff")
        # A page that is isolated from other origins gets a clock of microseconds.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass
