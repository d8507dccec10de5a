"""Prefect's settings: those that gfr adds to the environment, and where the user's come from."""

import contextlib
import importlib.util
import io
import os
import sys
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gfr.errors import InputError, reason
from gfr.storage import serialization
from gfr.storage.paths import ROOT

if TYPE_CHECKING:
    from prefect.settings import Settings

# pyproject.toml has the same, but Prefect reads it only in the project's directory.
_ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "gfr",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    # A server that has gone costs half a minute at the end of a run, not two.
    "PREFECT_CLIENT_MAX_RETRIES": "3",
    # The terminal shows gfr's own lines; Prefect's go to its server.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
}

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def set_environment() -> None:
    """Set what Prefect reads from the environment; call it before the first import of Prefect.

    InputError if this user has no home directory, in which Prefect keeps its files.
    """
    try:
        Path.home()
    except RuntimeError:
        raise InputError(
            f"HOME: not set, and user {os.getuid()} has no home directory in /etc/passwd. Set HOME "
            "to a directory that this user may write to"
        ) from None
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    _keep_loopback_from_proxies()


def add(name: str, value: str) -> None:
    """Set one more, which is not the user's."""
    os.environ[name] = _ENVIRONMENT[name] = value


def _keep_loopback_from_proxies() -> None:
    """Add loopback to NO_PROXY, and unset proxies that httpx cannot use, for any address."""
    schemes = {"http", "https"}
    if importlib.util.find_spec("socksio"):
        schemes |= {"socks5", "socks5h"}
    for name in [name for name in os.environ if name.lower() in _PROXIES]:
        scheme, separator, _ = os.environ[name].partition("://")
        if separator and scheme.lower() not in schemes:
            del os.environ[name]
    before = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))  # the order of urllib
    hosts = [*filter(None, map(str.strip, before.split(","))), *_LOOPBACK]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(dict.fromkeys(hosts))


def load() -> "Settings":
    """Return Prefect's settings; InputError if they are invalid. Imports Prefect."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()) as said:
            warnings.filterwarnings("ignore", "Failed to create the Prefect home")
            from prefect.settings import get_current_settings

            settings = get_current_settings()
        sys.stderr.write(said.getvalue())  # such as that a profile is unknown
        return settings
    except (OSError, ValueError) as error:
        problem = reason(error)
        if isinstance(error, ValidationError):
            problem = serialization.first_problem(error)
        raise InputError(f"Prefect's settings are invalid: {problem}. {set_by_user()}") from None


def set_by_user() -> str:
    """Return a sentence that names the user's settings and where each was found."""
    found = [f"{name} ({place})" for name, place in places().items()]
    return f"Settings of Prefect here: {', '.join(found) or 'none'}"


def places() -> dict[str, str]:
    """Return where each setting of the user was found, the winning place of each."""
    found = dict(_in_profile())
    for file, *table in (("pyproject.toml", "tool", "prefect"), ("prefect.toml",)):
        path = Path(file).absolute()
        if path != ROOT / "pyproject.toml":
            found |= dict.fromkeys(_names(_table(path, table)), str(path))
    dotenv = Path(".env")
    if dotenv.is_file():
        lines = dotenv.read_text("utf-8", "replace").splitlines()
        names = [line.strip().removeprefix("export ").partition("=")[0].strip() for line in lines]
        found |= dict.fromkeys(names, str(dotenv.absolute()))
    found |= dict.fromkeys(os.environ, "environment")
    ours = {name for name, value in _ENVIRONMENT.items() if os.environ.get(name) == value}
    return {
        name: place
        for name, place in found.items()
        if name.startswith("PREFECT_") and name not in ours
    }


def _in_profile() -> Iterator[tuple[str, str]]:
    try:
        import prefect
        from prefect.context import get_settings_context

        profile = get_settings_context().profile
    except (OSError, ValueError):  # of settings that are invalid
        return
    if profile.source and not profile.source.is_relative_to(Path(prefect.__file__).parent):
        for setting in profile.settings:
            yield setting.name, f"profile {profile.name} in {profile.source}"


def _table(file: Path, names: list[str]) -> Any:
    try:
        table = tomllib.loads(file.read_text("utf-8"))
        for name in names:
            table = table.get(name, {})
    except (OSError, ValueError):
        return {}
    return table


def _names(table: Mapping[str, Any], before: str = "PREFECT") -> Iterator[str]:
    """Names of the settings in a table: `api.url` is PREFECT_API_URL."""
    for key, value in table.items():
        name = f"{before}_{key.upper()}"
        if isinstance(value, Mapping):
            yield from _names(value, name)
        else:
            yield name
