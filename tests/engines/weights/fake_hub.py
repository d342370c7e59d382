"""A Hugging Face hub on loopback: one repository, what huggingface_hub asks of it, and faults."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
from urllib.parse import urlsplit

REPO = "some/face"
COMMIT = "c0ffee" * 6 + "c0de"


def blob_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class FakeHub(http.server.ThreadingHTTPServer):
    """Notes what it was asked; can break off, move a file to another host, or lie about one.

    Attributes:
        files: path in the repository → content, as listed.
        sent: paths whose content is another one than listed.
        moved: path → address it redirects to.
        break_after: bytes after which a file's connection breaks off.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.sent: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}
        self.break_after: int | None = None
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> FakeHub:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request, client_address):
        """Connections break here on purpose."""

    def entry(self, path: str) -> dict:
        """A file as the tree lists it."""
        content = self.files[path]
        listed = {"type": "file", "path": path, "size": len(content), "oid": blob_sha1(content)}
        if path.endswith((".safetensors", ".bin")):
            listed["oid"] = "0" * 40
            listed["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
            listed["lfs"]["pointerSize"] = 130
        return listed

    def sibling(self, path: str) -> dict:
        """The same as the model's own page lists it."""
        listed = self.entry(path)
        found = {"rfilename": path, "size": listed["size"], "blobId": listed["oid"]}
        if large := listed.get("lfs"):
            found["lfs"] = {"sha256": large["oid"], "size": large["size"], "pointerSize": 130}
        return found


class _Handler(http.server.BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._answer_any()

    def do_GET(self):
        self._answer_any()

    def _answer_any(self):
        hub, path = self.server, urlsplit(self.path).path
        hub.asked.append((self.command, self.path, dict(self.headers)))
        if path.startswith(f"/api/models/{REPO}/revision/"):
            listed = [hub.sibling(name) for name in hub.files]
            return self._json({"id": REPO, "sha": COMMIT, "siblings": listed})
        if path.startswith(f"/api/models/{REPO}/tree/"):
            return self._json([hub.entry(name) for name in hub.files])
        inside = re.fullmatch(rf"/{REPO}/resolve/{COMMIT}/(.*)", path)
        if inside and inside[1] in hub.files:
            return self._file(inside[1])
        return self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})

    def _json(self, value):
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _file(self, path):
        hub, listed = self.server, self.server.entry(path)
        digest = listed.get("lfs", {}).get("oid", listed["oid"])
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{digest}"', "Accept-Ranges": "bytes"}
        if path in hub.moved:
            headers |= {"X-Linked-ETag": f'"{digest}"', "X-Linked-Size": str(listed["size"])}
            return self._answer(302, b"", {**headers, "Location": hub.moved[path]})
        body, status = hub.sent.get(path, hub.files[path]), 200
        if found := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            start = int(found[1])
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body, status = body[start:], 206
        return self._answer(status, body, headers)

    def _answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        limit = self.server.break_after
        if limit is not None and len(body) > limit:
            self.wfile.write(body[:limit])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(body)

    def log_message(self, *_):
        pass
