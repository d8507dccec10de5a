"""A web server on loopback that misbehaves as it is told."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What is served at every path that `pages` does not name, and how often it was requested.

    `cuts`: after how many bytes the connection of each request ends; afterwards none does.
    """

    content: bytes = b""
    status: int = 200
    cuts: list[int] = field(default_factory=list)
    pages: dict[str, tuple[dict[str, str], bytes]] = field(default_factory=dict)
    num_requests: int = 0
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_HEAD(self):
        """Head of a page."""
        self._page(with_body=False)

    def do_GET(self):
        """A page, or the content."""
        if self.path in self.site.pages:
            return self._page(with_body=True)
        site = self.site
        site.num_requests += 1
        self.send_response(site.status)
        self.send_header("Content-Length", str(len(site.content)))
        self.end_headers()
        end = site.cuts.pop(0) if site.cuts else len(site.content)
        self.wfile.write(site.content[:end])

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
