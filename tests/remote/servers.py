"""Servers to test with: moto, which speaks S3, a web server, and a proxy that breaks requests."""

from __future__ import annotations

import hashlib
import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

BUCKET = "archive"
_HOP = ("connection", "transfer-encoding", "content-length", "date", "server")


@contextmanager
def s3_server() -> Iterator[str]:
    """A server that speaks S3; yields its address."""
    from moto.moto_server.utilities import RegexConverter
    from moto.server import ThreadedMotoServer

    usual = RegexConverter.__init__

    def with_line_ends(self: Any, url_map: Any, *items: str) -> None:
        usual(self, url_map, *(f"(?s:{item})" for item in items))  # moto's own routes know no key with a line end

    RegexConverter.__init__ = with_line_ends
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()
        RegexConverter.__init__ = usual


@dataclass
class Answer:
    """What a rule answers instead of the server behind: a status with content, or nothing for a while."""

    status: int = 200
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stall_s: float = 0.0
    cut: bool = False


Rule = Callable[[str, str], Answer | None]


class Proxy:
    """Passes requests on to a server unless a rule answers them; counts what passes.

    Attributes:
        url: address.
        rules: each is asked with method and path of a request.
        ranges: answers to requests for ranges that begin so.
        requests: method, decoded path and bytes of the content of each answer.
    """

    def __init__(self, behind: str) -> None:
        self.rules: list[Rule] = []
        self.ranges: list[tuple[str, Answer]] = []
        self.requests: list[tuple[str, str, int]] = []
        self._behind = urlsplit(behind)
        self._stopped = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: object) -> None:
                pass

            def _pass(self) -> None:
                proxy._answer(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def fetched(self, part: str = "") -> int:
        """Bytes of content that GET requests have answered, of paths that hold `part`."""
        return sum(size for method, path, size in self.requests if method == "GET" and part in path)

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(request.path)
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        answers = [answer for rule in self.rules if (answer := rule(request.command, path)) is not None]
        wanted = request.headers.get("Range", "")
        answers += [answer for start, answer in self.ranges if wanted.startswith(start)]
        found = answers[0] if answers else None
        if found is None:
            connection = http.client.HTTPConnection(self._behind.hostname or "", self._behind.port)
            connection.request(request.command, request.path, body, dict(request.headers))
            response = connection.getresponse()
            headers = {name: value for name, value in response.getheaders() if name.lower() not in _HOP}
            length = response.getheader("Content-Length")
            found = Answer(response.status, response.read(), headers)
            if request.command == "HEAD" and length:
                found.headers["Content-Length"] = length
            connection.close()
        self.requests.append((request.command, path, len(found.content)))
        if found.stall_s:
            self._stopped.wait(found.stall_s)
            return
        send(request, found)


class WebServer:
    """A web server for files in memory, with ranges, ETags, redirects and signatures.

    Attributes:
        url: address.
        files: content by path.
        etags, ranges, heads: whether it sends ETags, takes ranges, and answers HEAD.
        quiet: it does not say that it takes no ranges.
        signature: the query that is needed; None for none.
        before: called before each answer.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.etags = self.ranges = self.heads = True
        self.quiet = False
        self.signature: str | None = None
        self.before: Callable[[str, str], None] = lambda method, path: None
        self.requests: list[tuple[str, str, int]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: object) -> None:
                pass

            def do_GET(self) -> None:
                server._answer(self)

            do_HEAD = do_GET  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        path = unquote(path)
        self.before(request.command, path)
        answer = self._found(request, path, query)
        self.requests.append((request.command, path, len(answer.content)))
        send(request, answer)

    def _found(self, request: BaseHTTPRequestHandler, path: str, query: str) -> Answer:
        if path.startswith("/moved/"):
            return Answer(302, headers={"Location": path.removeprefix("/moved")})
        if (self.signature is not None and query != self.signature) or (request.command == "HEAD" and not self.heads):
            return Answer(403, b"Request has expired")
        content = self.files.get(path)
        if content is None:
            return Answer(404, b"no such file")
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()[:16]}"'} if self.etags else {}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        if not self.ranges or wanted is None:
            return Answer(200, content, headers | ({} if self.ranges or self.quiet else {"Accept-Ranges": "none"}))
        start, end = int(wanted[1]), min(int(wanted[2]) + 1, len(content))
        return Answer(206, content[start:end], headers | {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}"})


def send(request: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Send an answer; where it is cut, only half of it and then nothing more."""
    request.send_response(answer.status)
    for name, value in ({"Content-Length": str(len(answer.content))} | answer.headers).items():
        request.send_header(name, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(answer.content[: len(answer.content) // 2] if answer.cut else answer.content)
    if answer.cut:
        request.wfile.flush()
        request.close_connection = True


def s3_error(status: int, code: str) -> Answer:
    """An error as S3 sends it."""
    content = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code} it is</Message></Error>"
    return Answer(status, content.encode(), {"Content-Type": "application/xml"})


def wait_until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    """Wait for something that happens in another thread."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
