"""Serve the page with one exported model on this machine, or write it for a static host.

The page of web/dist is at `/`, the export under `/model/` and, on this machine only, the run's
report under `/report/`: it names images and directories, which are private. If the run has the
trial in a faithful LiteRT format, the page also gets that file, for LiteRT.js.
"""

import contextlib
import html
import json
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from uvicorn import Config, Server

from gfr.engines import formats
from gfr.errors import CannotWrite, InputError
from gfr.results import records
from gfr.results.deployment_records import MIN_P_VALUE, FormatResult
from gfr.results.export_records import MAX_DIFFERENCE, ExportResult
from gfr.storage import atomic, serialization
from gfr.storage.hashing import file_sha256
from gfr.storage.paths import ROOT
from gfr.storage.run_directory import ExportDirectory, RunDirectory

PAGE = ROOT / "web" / "dist"

_RUNTIME = PAGE / "litert"  # 19 MB, only for a model in its format

HOST = "127.0.0.1"

_REPORT = ("summary.md", "summary.json", "figures/*.png", "figures/*.svg")

_KERAS = "model.keras"  # not for browsers, and as large as all the rest

# Formats for LiteRT.js. Full and dynamic int8 change answers.
_LITERT = ("litert", "litert-float16")

_CARD, _TFLITE = "model/model_card.json", "litert/model.tflite"

# What a browser needs before it lets a page use threads.
_ISOLATION = [
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]

# Not left to the machine's own list of types, which may lack the first two.
_MEDIA_TYPES = {
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".js": "text/javascript",
    ".json": "application/json",
    ".md": "text/plain",
}


def exported(run: records.Run, trial_id: str | None) -> Path:
    """Return the export of the selected or the given trial; InputError if there is none yet."""
    trial = run.result_of(trial_id).trial
    files = RunDirectory(run.directory).export(trial.id)
    if not files.record.exists():
        words = f" --trial {trial.id}" if trial_id else ""
        raise InputError(f"{files.path}: not exported yet; gfr export {run.directory.name}{words}")
    return files.path


@dataclass(frozen=True)
class LiteRTModel:
    """A .tflite file for the page. `precision`: as people read it."""

    path: Path
    precision: str

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the page's copy of the model card says of the file."""
        return {
            "file": _TFLITE,
            "precision": self.precision,
            "num_bytes": self.path.stat().st_size,
            "digest": file_sha256(self.path),
            "tolerance": MAX_DIFFERENCE,
        }


def litert_model(export: Path) -> LiteRTModel | None:
    """Return the smallest faithful LiteRT file of an exported trial, or None if there is none.

    Faithful as TensorFlow.js' precision has to be, on the validation images (`WebModel`), and made
    from the same model as the export.
    """
    run_dir, record = RunDirectory(export.parents[1]), ExportDirectory(export).record
    if not record.exists():
        return None
    model_digest = serialization.read(record, ExportResult).model_digest
    models = []
    for name in _LITERT:
        files = run_dir.format(export.name, name)
        path = files.path / formats.get(name).file
        if files.record.exists() and path.is_file() and not path.is_symlink():
            result = serialization.read(files.record, FormatResult)
            if result.model_digest == model_digest and _is_faithful(result):
                models.append(LiteRTModel(path, result.precision))
    return min(models, key=lambda model: model.path.stat().st_size, default=None)


def _is_faithful(result: FormatResult) -> bool:
    agreement = result.validation
    return (
        agreement is not None
        and agreement.max_difference <= MAX_DIFFERENCE
        and agreement.p_value >= MIN_P_VALUE
    )


class PageServer:
    """A server of the page with an export and the report of its run, listening on loopback.

    InputError if the port is in use; port 0 takes any free one.
    """

    def __init__(self, export: Path, port: int) -> None:
        """Bind the port; nothing is answered before `run` or `in_background`."""
        try:
            self._socket = socket.create_server((HOST, port))
        except (OSError, OverflowError) as error:
            raise InputError(f"port {port}: {error}; choose another with --port") from None
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}/"
        self.uvicorn = Server(
            Config(
                application(export, export.parents[1], litert_model(export)),
                http="h11",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
                headers=[
                    ("Cache-Control", "no-store"),  # the page caches the model itself
                    ("X-Content-Type-Options", "nosniff"),
                    ("Referrer-Policy", "no-referrer"),
                    ("Content-Security-Policy", f"{policy()}; frame-ancestors 'none'"),
                    *_ISOLATION,
                ],
            )
        )

    def run(self) -> None:
        """Serve until Ctrl-C."""
        with contextlib.suppress(KeyboardInterrupt):
            self.uvicorn.run([self._socket])

    @contextlib.contextmanager
    def in_background(self) -> Iterator[Self]:
        """Serve in a thread while the block runs."""
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.uvicorn.should_exit = True
            thread.join()


def application(model: Path, report: Path, litert: LiteRTModel | None = None) -> Starlette:
    """Answer GET and HEAD of the page's, model's and report's files; 404 for everything else."""
    facts = litert and litert.facts  # digested once, and before the file can go

    def answer(request: Request) -> Response:
        place = request.path_params["path"] or "index.html"
        path = dict(_files(model, litert, report)).get(place)
        if path is None:
            raise HTTPException(404)
        media_type = _MEDIA_TYPES.get(path.suffix)
        if facts and place == _CARD:
            return Response(_card(path, facts), media_type=media_type)
        return FileResponse(path, media_type=media_type)

    # Another site's name may resolve to this machine, so names other than our own are refused.
    trusted = Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", HOST])
    return Starlette(routes=[Route("/{path:path}", answer)], middleware=[trusted])


def unused(target: Path) -> Path:
    """Return `target`; InputError if it exists and is not an empty directory."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target}: exists and is not an empty directory; name another")
    return target


def write(export: Path, target: Path) -> None:
    """Write page and model as files; InputError if `target` is not `unused`."""
    unused(target)
    litert = litert_model(export)
    try:
        with atomic.refusing(target):
            for place, path in _files(export, litert):
                (target / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / place)
            if litert:
                (target / _CARD).write_bytes(_card(target / _CARD, litert.facts))
    except CannotWrite:
        # Files left behind would block the next attempt. `target` stays: it may be a mount.
        for left in target.iterdir() if target.is_dir() else ():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        raise


def _card(path: Path, litert: dict[str, Any]) -> bytes:
    """Return the export's model card with what the page needs to know of the LiteRT file."""
    card = json.loads(path.read_bytes()) | {"litert": litert}
    return json.dumps(card, indent=1).encode()


def _files(
    model: Path, litert: LiteRTModel | None, report: Path | None = None
) -> Iterator[tuple[str, Path]]:
    """Yield the path relative to `/` and the file of everything that is served."""
    if litert and litert.path.is_file():
        yield f"model/{_TFLITE}", litert.path
    places = [("", PAGE, "**/*"), ("model/", model, "**/*")]
    if report:
        places += [("report/", report, pattern) for pattern in _REPORT]
    for place, root, pattern in places:
        for path in root.glob(pattern):
            if path.parent == _RUNTIME and not litert:
                continue
            # Symbolic links may lead outside.
            if path.is_file() and not path.is_symlink() and path.name != _KERAS:
                yield place + path.relative_to(root).as_posix(), path


def policy() -> str:
    """Return the page's Content-Security-Policy, which browsers do not apply to its worker."""
    page = (PAGE / "index.html").read_text("utf-8")
    (content,) = re.findall(r'Content-Security-Policy"\s+content="([^"]+)"', page)
    return html.unescape(content)
