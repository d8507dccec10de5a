"""The page with one exported model: served on this machine, or written for any static host.

In: the directory of an export. Out: the built page of web/dist at `/`, the export under `/model/`,
and on this machine the run's report under `/report/`: it names images and paths, which are nobody
else's business. Never on another address than loopback, never builds the page.
"""

import functools
import html
import re
import shutil
import sys
import urllib.parse
from collections.abc import Iterator
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from gfr.errors import BadInput, CannotWrite
from gfr.results import records, store
from gfr.storage import atomic
from gfr.storage.paths import ROOT

PAGE = ROOT / "web" / "dist"

HOST = "127.0.0.1"

_OUR_NAMES = ("localhost", HOST)

_ALL: tuple[str, ...] = ("**/*",)

_REPORT = ("summary.md", "summary.json", "figures/*.svg")

_KERAS = "model.keras"  # not for browsers, and as large as all the rest


def exported(run: records.Run, trial_id: str | None) -> Path:
    """The export of a run's selected trial, or of the one named; BadInput if there is none yet."""
    trial = run.result_of(trial_id).trial
    path = store.export_directory(run.directory, trial.id)
    if not (path / "export.json").exists():
        words = f" --trial {trial.id}" if trial_id else ""
        raise BadInput(f"{path}: not exported yet; gfr export {run.directory.name}{words}")
    return path


def server(export: Path, port: int) -> ThreadingHTTPServer:
    """A server on loopback, not yet running; port 0 is any free one. BadInput if it is taken."""
    try:
        return _Server((HOST, port), functools.partial(Handler, export, _report(export)))
    except (OSError, OverflowError) as error:
        raise BadInput(f"port {port}: {error}; choose another with --port") from None


def unused(target: Path) -> Path:
    """The place itself; BadInput if it is neither new nor an empty directory."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInput(f"{target}: exists and is not an empty directory; name another")
    return target


def write(export: Path, target: Path) -> None:
    """Page and model as files; BadInput if `target` is not `unused`."""
    unused(target)
    try:
        with atomic.refusing(target):
            for place, path in _files(export):
                (target / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / place)
    except CannotWrite:
        # Half a site would be in the way of the next attempt; `target` may be a mount: it stays.
        for left in target.iterdir() if target.is_dir() else ():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        raise


def _report(export: Path) -> Path:
    """The run's directory is two above its exports."""
    return export.parents[1]


def _files(model: Path, report: Path | None = None) -> Iterator[tuple[str, Path]]:
    """Every file that is shown, and where, relative to `/`."""
    places = [("", PAGE, _ALL), ("model/", model, _ALL)]
    places += [("report/", report, _REPORT)] if report else []
    for place, root, patterns in places:
        for path in (found for pattern in patterns for found in root.glob(pattern)):
            # A link may lead anywhere.
            if path.is_file() and not path.is_symlink() and path.name != _KERAS:
                yield place + path.relative_to(root).as_posix(), path


def policy() -> str:
    """The Content-Security-Policy in the page itself: browsers do not apply that to its worker."""
    page = (PAGE / "index.html").read_text("utf-8")
    found = re.search(r'Content-Security-Policy"\s+content="([^"]+)"', page)
    if found is None:
        raise ValueError(f"{PAGE / 'index.html'}: no Content-Security-Policy")
    return html.unescape(found[1])


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up is no error of ours; anything else is."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Handler(SimpleHTTPRequestHandler):
    """GET and HEAD of the page, an export and a run's report, and of nothing else."""

    timeout = 60  # seconds that a connection may be silent

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".md": "text/plain; charset=utf-8",
        ".mjs": "text/javascript",
        ".js": "text/javascript",
        ".json": "application/json",
        ".wasm": "application/wasm",
    }

    def __init__(self, model: Path, report: Path, *arguments: Any) -> None:
        """Keep the directories served; the rest is the server's."""
        self.model, self.report = model, report
        super().__init__(*arguments)

    def translate_path(self, path: str) -> str:
        """The file behind an address; one that does not exist for all others."""
        place = urllib.parse.unquote(urllib.parse.urlsplit(path).path).lstrip("/")
        files = dict(_files(self.model, self.report))
        return str(files.get(place or "index.html", PAGE / "no such file"))

    def parse_request(self) -> bool:
        """Refuse names that are not ours: another site's name may point here."""
        if not super().parse_request():
            return False
        if self.headers.get("Host", "").partition(":")[0] in _OUR_NAMES:
            return True
        self.send_error(HTTPStatus.FORBIDDEN)
        return False

    def end_headers(self) -> None:
        """Nothing kept by the browser, nothing from elsewhere, no frame around it."""
        self.send_header("Cache-Control", "no-store")  # the page keeps the model itself
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Content-Security-Policy", f"{policy()}; frame-ancestors 'none'")
        super().end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: what a browser asks for is of no interest here."""
