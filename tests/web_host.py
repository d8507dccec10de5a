"""A static host on loopback: the built page, a model beside it, a report beside that.

In: directories. Out: an address and the list of what was asked for. Never: listens beyond
127.0.0.1, lets a browser keep what it got (`no-store`), so that only the page's own cache can.
"""

import html
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from gfr.runs import ROOT

DIST = ROOT / "web" / "dist"


@dataclass
class Host:
    """Where the page is, and the paths that were asked for."""

    url: str
    asked: list[str] = field(default_factory=list)


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments, folders: dict[str, Path], asked: list[str], **rest):
        self.folders, self.asked = folders, asked
        super().__init__(*arguments, **rest)

    def translate_path(self, path: str) -> str:
        """The file behind an address: the longest prefix that fits names its folder."""
        path = path.split("?")[0]
        prefix = next(prefix for prefix in self.folders if path.startswith(prefix))
        name = path.removeprefix(prefix) or "index.html"
        return str(self.folders[prefix] / name)

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def end_headers(self) -> None:
        """The page's own policy as a header, so that its worker is under it too."""
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", policy())
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


def policy() -> str:
    """The Content-Security-Policy that index.html carries."""
    page = (DIST / "index.html").read_text()
    found = re.search(r'Content-Security-Policy"\s+content="([^"]+)"', page)
    assert found is not None
    return html.unescape(found[1])


@contextmanager
def serve(model: Path | None, report: Path | None = None, dist: Path = DIST) -> Iterator[Host]:
    """The page at /, `model` at /model/, `report` at /report/; None answers 404."""
    nowhere = DIST / "nowhere"
    folders = {"/model/": model or nowhere, "/report/": report or nowhere, "/": dist}
    host = Host("")
    handler = partial(_Handler, folders=folders, asked=host.asked)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    host.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
