"""Download one file over HTTP with pooch: limited in size and checked against its SHA-256.

A file gets its name only when it is complete. Does not resume and does not unpack.
"""

import logging
import re
from pathlib import Path
from typing import Any

import pooch

from gfr.errors import InputError, cannot_write, reason
from gfr.progress import Report

_TIMEOUT_S = 30.0


def fetch(url: str, path: Path, sha256: str, max_bytes: int, report: Report) -> None:
    """Download `url` to `path`, unless a file with this SHA-256 (empty: any) is already there.

    Raises InputError if the server cannot be reached or refuses, or if the file is larger than
    `max_bytes` or has another SHA-256. Raises CannotWrite if the disk is full. Reports megabytes.
    """
    _check_scheme(url)
    pooch.get_logger().setLevel(logging.WARNING)

    def download(url: str, target: str, _: object) -> None:
        downloader = pooch.HTTPDownloader(
            progressbar=_ProgressBar(url, Path(target), max_bytes, report),
            chunk_size=1 << 16,
            timeout=_TIMEOUT_S,
            headers={"Accept-Encoding": "identity"},
            hooks={"response": lambda response, **_: _reject_plain_http(url, response)},
        )
        try:
            downloader(url, target, None)
        except InputError:
            raise
        except (OSError, ValueError) as error:
            raise _explained(url, error, path) from None

    known_hash = f"sha256:{sha256}" if sha256 else None
    try:
        pooch.retrieve(url, known_hash, path.name, path.parent, downloader=download)
    except InputError:
        raise
    except ValueError as error:  # another SHA-256: pooch has deleted the file
        raise InputError(f"{url}: {error}") from None


def require_reachable(url: str) -> None:
    """Raise InputError at once if nothing answers at `url`; some libraries retry for minutes."""
    _check_scheme(url)
    try:
        pooch.HTTPDownloader(timeout=_TIMEOUT_S)(url, None, None, check_only=True)
    except (OSError, ValueError) as error:
        raise _explained(url, error) from None


class _ProgressBar:
    """Called by pooch after every chunk: enforces the size limit and reports progress."""

    total = 0  # set by pooch to the length that the server states, 0 if it states none

    def __init__(self, url: str, target: Path, max_bytes: int, report: Report) -> None:
        self._url, self._target = url, target
        self._max_bytes, self._report = max_bytes, report

    def update(self, _: int) -> None:
        num_bytes = self._target.stat().st_size
        if max(num_bytes, self.total) > self._max_bytes:
            raise InputError(
                f"{self._url}: larger than {self._max_bytes / 1e6:,.0f} MB. If that is right, "
                "raise archive_bytes in benchmarks/sources.toml"
            )
        self._report(num_bytes // 10**6, self.total // 10**6 or None)

    def reset(self) -> None: ...

    def close(self) -> None: ...


def _check_scheme(url: str) -> None:
    if not re.match("https?://[^/]", url):
        raise InputError(f"--url {url!r}: must begin with https:// or http://")


def _reject_plain_http(url: str, response: Any) -> None:
    if url.startswith("https:") and not response.url.startswith("https:"):
        raise InputError(f"{url}: redirects to {response.url}: not encrypted. Name another --url")


def _explained(url: str, error: Exception, path: Path | None = None) -> InputError:
    """Translate an error of requests (an OSError without a number) or of the disk."""
    if path and isinstance(error, OSError) and error.errno:
        return cannot_write(path, error)
    response = getattr(error, "response", None)
    if response is None:
        while isinstance(error.__context__, Exception):  # requests wraps urllib3's and Python's
            error = error.__context__
        return InputError(
            f"{url}: cannot be downloaded ({reason(error)}). Check the network, HTTPS_PROXY, "
            "ALL_PROXY and REQUESTS_CA_BUNDLE; docs/data.md says how to get the data by hand"
        )
    remedy = "Try again later" if response.status_code >= 500 else "Name another with --url"
    answer = f"{response.status_code} {response.reason}".strip()
    return InputError(f"{url}: the server answers {answer}. {remedy}")
