"""Stores that only complain: servers on loopback that give every question one answer, or none."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, str]
"""Status and body."""


def of_s3(status: int, code: str, message: str, more: str = "") -> Answer:
    """As S3 complains."""
    words = f"<Code>{code}</Code><Message>{message}</Message>{more}<RequestId>1</RequestId>"
    return status, f'<?xml version="1.0" encoding="UTF-8"?><Error>{words}</Error>'


def of_google(status: int, message: str) -> Answer:
    """As Google's JSON API complains."""
    return status, json.dumps({"error": {"code": status, "message": message, "errors": []}})


@contextmanager
def refusing(answer: Answer) -> Iterator[str]:
    """The address of a server that answers so."""

    class Refusal(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, text = answer
            body = b"" if self.command == "HEAD" else text.encode()  # as HTTP has it
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def mute() -> Iterator[str]:
    """The address of a server that takes calls and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
