"""`gfr serve` in a thread, with whatever model and report a test has.

In: directories. Out: an address and the list of what was asked for.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

from gfr.export import web

_NOWHERE = Path(__file__).parent / "nowhere"


@dataclass
class Host:
    """Where the page is, and the paths that were asked for."""

    url: str
    asked: list[str] = field(default_factory=list)


class _Recording(web.Handler):
    """The server itself; it only remembers."""

    def __init__(self, asked: list[str], *arguments):
        self.asked = asked
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()


@contextmanager
def serve(model: Path | None, report: Path | None = None) -> Iterator[Host]:
    """The page at /, `model` at /model/, `report` at /report/; None answers 404."""
    host = Host("")
    handler = partial(_Recording, host.asked, model or _NOWHERE, report or _NOWHERE)
    with ThreadingHTTPServer((web.HOST, 0), handler) as server:
        host.url = f"http://{web.HOST}:{server.server_port}/"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield host
        finally:
            server.shutdown()
