"""A web server on loopback that misbehaves as it is told."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What is served at every path that `pages` does not name; `asked` has the Range of each call.

    `cuts`: after how many bytes the connection of each call ends; afterwards none does.
    """

    content: bytes = b""
    etag: str = '"one"'
    has_ranges: bool = True
    status: int = 200
    cuts: list[int] = field(default_factory=list)
    pages: dict[str, tuple[dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_HEAD(self):
        """Head of a page."""
        self._page(with_body=False)

    def do_GET(self):
        """A page, or the content from the byte that is asked for."""
        if self.path in self.site.pages:
            return self._page(with_body=True)
        site, asked = self.site, self.headers["Range"]
        site.asked.append(asked)
        begin = 0
        if asked and site.has_ranges and self.headers["If-Range"] == site.etag:
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if begin else site.status)
        size = len(site.content)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
        if site.etag:
            self.send_header("ETag", site.etag)
        self.send_header("Content-Length", str(size - begin))
        self.end_headers()
        end = begin + site.cuts.pop(0) if site.cuts else size
        self.wfile.write(site.content[begin:end])

    def _page(self, with_body):
        headers, body = self.site.pages.get(self.path, ({}, b""))
        self.send_response(200 if self.path in self.site.pages else 404)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_):
        """Nothing on the terminal."""


@contextlib.contextmanager
def serve(site: Site) -> Iterator[Site]:
    """Serve it in a thread while the block runs; `site.url` is where."""
    handler = type("Handler", (_Handler,), {"site": site})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        site.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield site
        server.shutdown()
