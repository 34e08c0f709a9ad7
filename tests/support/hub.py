"""A small Hugging Face hub on loopback for tests: one repository, one file, ranges, and connections that break on request."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPOSITORY = "someone/tiny-GGUF"
FILE = "tiny.gguf"
COMMIT = "0" * 40


class Hub(ThreadingHTTPServer):
    """``break_at``: bytes after which the first answer breaks, none comes then; ``ranges``: what was asked for."""

    daemon_threads = True

    def __init__(self, data: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data = data
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.break_at: int | None = None
        self.ranges: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers what huggingface_hub asks: paths-info, HEAD and GET of the file."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *_arguments: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        data = self.server.data
        lfs = {"oid": self.server.sha256, "size": len(data), "pointerSize": 130}
        row = {"type": "file", "path": FILE, "size": len(data), "oid": "1" * 40, "lfs": lfs}
        known = self.path == f"/api/models/{REPOSITORY}/paths-info/main"
        self._send(200, json.dumps([row] if known else []).encode(), {})

    def do_HEAD(self) -> None:
        self._file(b"")

    def do_GET(self) -> None:
        if self.server.break_at is not None and self.server.ranges:
            self.close_connection = True
            return
        self._file(self.server.data)

    def _file(self, body: bytes) -> None:
        if self.path.split("?")[0] != f"/{REPOSITORY}/resolve/main/{FILE}":
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        headers = {
            "ETag": f'"{self.server.sha256}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
            "Content-Length": str(len(self.server.data)),
        }
        asked = self.headers.get("Range", "")
        if self.command == "GET":
            self.server.ranges.append(asked)
        if asked and body:
            start = int(asked.removeprefix("bytes=").split("-")[0])
            body = body[start:]
            size = len(self.server.data)
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
            headers["Content-Length"] = str(len(body))
            self._send(206, body, headers)
        else:
            self._send(200, body, headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(key, value)
        self.end_headers()
        broken = self.server.break_at
        if broken is not None and self.command == "GET":
            self.wfile.write(body[:broken])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)
        else:
            self.wfile.write(body)


@contextmanager
def hub(data: bytes) -> Iterator[Hub]:
    """A running hub that serves ``data``."""
    server = Hub(data)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
