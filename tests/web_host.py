"""`gfr serve` in a thread, with whatever model and report a test has."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gfr.export import web

_NOWHERE = Path(__file__).parent / "nowhere"


@dataclass
class Host:
    """The page's address, and the paths requested so far."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve(
    model: Path | None,
    report: Path | None = None,
    litert: web.LiteRTModel | None = None,
    is_isolated: bool = True,
) -> Iterator[Host]:
    """Serve the page at /, `model` at /model/, `report` at /report/; None answers 404.

    Without `is_isolated` as a static host: it sends no header that isolates the page.
    """
    server = web.PageServer(_NOWHERE / "export" / "trial", 0)
    host = Host(server.url)
    application = web.application(model or _NOWHERE, report or _NOWHERE, litert)
    if not is_isolated:
        headers = server.uvicorn.config.headers
        headers[:] = [row for row in headers if not row[0].startswith("Cross-Origin-")]

    async def recording(scope, receive, send):
        host.asked.append(scope["path"])
        await application(scope, receive, send)

    server.uvicorn.config.app = recording
    with server.in_background():
        yield host
