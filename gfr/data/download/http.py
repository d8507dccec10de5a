"""One file over HTTP, whole or to be gone on with.

In: a URL and a path. Out: the file at that path. What has arrived is kept beside it as `.part`, and
a second call goes on from its last byte, if the server can and has the same file still (RFC 9110,
13.1.5 and 14.2). Never waits, never unpacks, never trusts a length that the server states.
"""

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

import httpx

from gfr.errors import BadInput, CannotWrite, cannot_write, reason
from gfr.storage import atomic

LOG = logging.getLogger("gfr")

MAX_ATTEMPTS = 20  # each of them must bring more than was there

_TIMEOUT_S = 30.0

_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")

Report = Callable[[int, int | None], None]  # bytes so far, bytes in all where that is known


class _StartOver(Exception):
    """What is there is no beginning of what the server has now."""


def fetch(url: str, path: Path, max_bytes: int, report: Report) -> None:
    """Get `url` into `path`; one that is there from the same URL stays.

    BadInput if the server cannot be reached, refuses, or sends more than `max_bytes`; CannotWrite
    if the disk is full.
    """
    _refuse_other_schemes(url)
    note, part = _note(path), _part(path)
    if path.exists() and _read(note).get("url") == url:
        return
    path.unlink(missing_ok=True)  # of another URL: the note will not be its own any more
    with _client(url) as client:
        for _ in range(MAX_ATTEMPTS):
            before = _size(part)
            try:
                _receive(client, url, part, note, max_bytes, report)
                part.replace(path)
                return
            except _StartOver:
                part.unlink(missing_ok=True)
            except httpx.HTTPError as error:
                if _size(part) <= before:
                    raise _unreachable(url, part, note, error) from None
                LOG.info("cut off at %.1f MB: going on", _size(part) / 1e6)
            except OSError as error:
                raise CannotWrite(
                    f"{cannot_write(part, error)}; the same command goes on"
                ) from None
    raise BadInput(f"{url}: cut off {MAX_ATTEMPTS} times; the same command goes on")


def require_reachable(url: str) -> None:
    """BadInput if nothing answers at `url`, at once: for downloaders that try again for long."""
    _refuse_other_schemes(url)
    with _client(url) as client:
        try:
            client.head(url, follow_redirects=False)
        except httpx.HTTPError as error:
            raise _out_of_reach(url, error) from None


def forget(path: Path) -> None:
    """Remove a download and what was kept of it: the next one begins anew."""
    for left in (path, _note(path), _part(path)):
        left.unlink(missing_ok=True)


def _client(url: str) -> httpx.Client:
    """BadInput if what the environment says of the way to the network is no way."""
    try:
        return httpx.Client(follow_redirects=True, timeout=_TIMEOUT_S)
    # A proxy of a kind that httpx does not know, or in SOCKS; certificates that are not there.
    except (httpx.InvalidURL, ValueError, ImportError, OSError) as error:
        raise BadInput(
            f"{url}: cannot be asked for ({reason(error)}); look at HTTPS_PROXY, ALL_PROXY and "
            "SSL_CERT_FILE"
        ) from None


def _note(path: Path) -> Path:
    """What is known of the download: URL and validator."""
    return path.with_name(f"{path.name}.json")


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _receive(
    client: httpx.Client, url: str, part: Path, note: Path, max_bytes: int, report: Report
) -> None:
    have, known = _size(part), _read(note)
    headers = {"Accept-Encoding": "identity"}
    if have and known.get("url") == url and known.get("validator"):
        headers |= {"Range": f"bytes={have}-", "If-Range": known["validator"]}
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _StartOver
        if response.status_code == httpx.codes.PARTIAL_CONTENT:
            total = _total_of_range(response, have)
        else:
            have, total = 0, _stated_length(response)
        _refuse_what_is_no_file(url, response, total, max_bytes)
        if not have:  # else a kill before the first byte would pair the old part with the new note
            part.unlink(missing_ok=True)
        atomic.require_room(part, (total or have) - have)
        atomic.write_json(note, {"url": url, "validator": _validator(response)})
        with part.open("ab" if have else "wb") as file:
            for chunk in response.iter_raw():
                have += len(chunk)
                if have > max_bytes:
                    part.unlink()
                    raise _too_large(url, max_bytes)
                file.write(chunk)
                report(have, total)
        if total is not None and have < total:  # a server may answer with less than was asked for
            raise httpx.RemoteProtocolError(f"{have:,} of {total:,} bytes came")


def _total_of_range(response: httpx.Response, have: int) -> int | None:
    stated = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if stated is None or int(stated[1]) != have:
        raise _StartOver
    return None if stated[2] == "*" else int(stated[2])


def _stated_length(response: httpx.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if re.fullmatch("[0-9]{1,18}", length) else None


def _validator(response: httpx.Response) -> str:
    """What tells this file from a later one of the same URL; empty if nothing does for sure."""
    etag = response.headers.get("ETag", "")
    found = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    return found if found.isascii() else ""  # what could not be sent back


def _refuse_what_is_no_file(
    url: str, response: httpx.Response, total: int | None, max_bytes: int
) -> None:
    if not response.is_success:
        cure = "try again later" if response.is_server_error else "name another with --url"
        answer = f"{response.status_code} {response.reason_phrase}".strip()
        raise BadInput(f"{url}: the server answers {answer}; {cure}")
    if url.startswith("https:") and response.url.scheme != "https":
        raise BadInput(f"{url}: leads to {response.url}, which anyone on the way could change")
    if total is not None and total > max_bytes:
        raise _too_large(url, max_bytes)


def _refuse_other_schemes(url: str) -> None:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise BadInput(f"--url {url!r}: no URL ({error})") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BadInput(f"--url {url!r}: must begin with https:// or http://")


def _too_large(url: str, max_bytes: int) -> BadInput:
    return BadInput(
        f"{url}: more than {max_bytes / 1e6:,.0f} MB; if that is right, raise archive_bytes in "
        "benchmarks/sources.toml"
    )


def _unreachable(url: str, part: Path, note: Path, error: httpx.HTTPError) -> BadInput:
    if _size(part) and _read(note).get("validator"):
        kept = f"{_size(part) / 1e6:,.1f} MB are kept"
        return BadInput(f"{url}: cut off ({reason(error)}); {kept}, the same command goes on")
    return _out_of_reach(url, error)


def _out_of_reach(url: str, error: httpx.HTTPError) -> BadInput:
    return BadInput(
        f"{url}: cannot be had ({reason(error)}); is there a network? docs/data.md says how "
        "to get the data by hand"
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _read(note: Path) -> dict[str, str]:
    """The note beside a download; one that is damaged or missing knows nothing."""
    try:
        known = json.loads(note.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    texts = known.items() if isinstance(known, dict) else ()
    return {key: value for key, value in texts if isinstance(value, str)}
