"""The server of `verify`'s page answers its own browser, and refuses all others in one line."""

import http.client
import json
import re
import socket
import struct
import time
from urllib.parse import urlsplit

import pytest

from kcnn.runtimes.page_server import Visits, serve

FILES = {"index.html": b"<p>page", "classify.js": b"code"}


def find(path):
    if "\0" in path:
        raise ValueError("embedded null byte")  # as pathlib does
    return FILES.get(path)


@pytest.fixture
def served(capfd):
    """Serve the files; afterwards nothing may have been written to the terminal."""
    visits = Visits()
    with serve(find, visits) as address:
        yield urlsplit(address), visits
    assert capfd.readouterr() == ("", "")


def ask(address, path, *, method="GET", body=None, **headers):
    """Return the status of a request and the answer's text; None leaves a header out."""
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True)
        sent = {"Host": address.netloc, "Content-Length": body and str(len(body))} | headers
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def refused(answer, *statuses):
    status, text = answer
    assert status in statuses and re.fullmatch(rb"[^\n<]+\.\n", text), answer


def send(address, data):
    """Return what the server answers to bytes that may be no request."""
    with socket.create_connection((address.hostname, address.port), timeout=10) as line:
        line.sendall(data)
        line.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: line.recv(65536), b""))


def test_the_page_is_served_and_its_result_taken(served):
    address, visits = served
    assert len(address.path) > 20
    assert ask(address, f"{address.path}/index.html?verify") == (200, b"<p>page")
    assert ask(address, f"{address.path}/") == (200, b"<p>page")
    assert ask(address, f"{address.path}/classify.js") == (200, b"code")
    body = json.dumps({"outputs": [1]}).encode()
    assert ask(address, f"{address.path}/result", method="POST", body=body) == (200, b"")
    assert visits.results.get(timeout=10) == {"outputs": [1]}


def test_every_server_has_its_own_token():
    with serve(find, Visits()) as one, serve(find, Visits()) as other:
        assert urlsplit(one).path != urlsplit(other).path


def test_without_token_or_host_nothing_is_served(served):
    address, visits = served
    before = visits.latest
    time.sleep(0.01)
    for path in ("/", "/index.html", f"{address.path[:-1]}/index.html", "/%ff/index.html"):
        refused(ask(address, path), 403)
    port = address.port
    for host in (None, "example.com", f"example.com:{port}", "127.0.0.1", f"localhost:{port}"):
        refused(ask(address, f"{address.path}/index.html", Host=host), 421)
        answer = ask(address, f"{address.path}/result", method="POST", body=b"{}", Host=host)
        refused(answer, 421)
    refused(ask(address, "/result", method="POST", body=b"{}"), 403)
    assert visits.results.empty() and visits.latest == before  # it does not count as the page's


def test_a_bad_request_is_answered_in_a_line(served):
    address, visits = served
    base = address.path
    refused(ask(address, f"{base}/missing.js"), 404)
    refused(ask(address, f"{base}/a%00b"), 404)
    refused(ask(address, f"{base}/result", method="DELETE"), 501)
    refused(ask(address, f"{base}/other", method="POST", body=b"{}"), 404)
    refused(ask(address, "http://[" + base), 400)
    for length in (None, "", "-1", "x", "1e3", "²"):
        answer = ask(
            address,
            f"{base}/result",
            method="POST",
            Content_Length=length and length.encode("latin-1"),
        )
        refused(answer, 411)
    for length in (str(2**31), "9" * 5000):
        refused(ask(address, f"{base}/result", method="POST", Content_Length=length), 413)
    for body in (b"x", b"[1]", b"1", b"\xff", b"[" * 100_000, b'{"a":' * 100_000):
        refused(ask(address, f"{base}/result", method="POST", body=body), 400)
    assert visits.results.empty()


def test_bytes_that_are_no_request_are_answered_in_a_line(served):
    address, _ = served
    for data in (
        b"\0\xff\r\n\r\n",
        b"<script>alert(1)</script> / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/x\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.0\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.0\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
    ):
        head, _, text = send(address, data).rpartition(b"\r\n\r\n")
        assert text.count(b"\n") == 1 and text.endswith(b".\n"), (data[:20], text)
        assert not head or b"text/plain" in head and b"nosniff" in head


def test_a_browser_that_hangs_up_leaves_no_traceback(served):
    address, _ = served
    FILES["large"] = bytes(2**26)
    for _ in range(3):
        line = socket.create_connection((address.hostname, address.port), timeout=10)
        line.sendall(
            f"GET {address.path}/large HTTP/1.0\r\nHost: {address.netloc}\r\n\r\n".encode()
        )
        line.recv(1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()  # with a reset
    time.sleep(0.3)
    del FILES["large"]
    assert ask(address, f"{address.path}/")[0] == 200
