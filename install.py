"""Create the environment .venv from requirements.lock: `python3.11 install.py`; `make` calls it.

Needs only the standard library of the Python that the environment is made with. uv installs the
lock; `--installer pip` is the fallback, about twice as slow.
"""

import argparse
import ast
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
LOCK = ROOT / "requirements.lock"
SUPPORTED = ((3, 11), (3, 12), (3, 13))
# uv does not read pip's configuration: pip's setting -> uv's variable, separator of several values.
PIP_TO_UV = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", ""),
    "client-cert": ("SSL_CLIENT_CERT", ""),
    "proxy": ("ALL_PROXY", ""),
    "default-timeout": ("UV_HTTP_TIMEOUT", ""),
    "timeout": ("UV_HTTP_TIMEOUT", ""),
}
# Variables that would have uv install elsewhere than into .venv.
ELSEWHERE = ("VIRTUAL_ENV", "UV_PYTHON", "UV_SYSTEM_PYTHON")


def main() -> None:
    """Replace .venv. Exits with code 2 and one line if this Python is not supported."""
    parser = argparse.ArgumentParser(description="Install gfr into .venv from requirements.lock.")
    parser.add_argument("--installer", choices=("uv", "pip"), default="uv")
    arguments = parser.parse_args()
    if sys.version_info[:2] not in SUPPORTED:
        names = ", ".join(f"{major}.{minor}" for major, minor in SUPPORTED)
        found = f"{sys.executable} is Python {sys.version_info[0]}.{sys.version_info[1]}"
        message = f"gfr needs Python {names}: {found}. Use e.g. make check PYTHON=python3.13"
        print(message, file=sys.stderr)
        sys.exit(2)
    print(f"installing into .venv with {arguments.installer}, one to two minutes", flush=True)
    ready = VENV / ".ready"
    # First, so that an interrupted installation is not taken for a finished one.
    ready.unlink(missing_ok=True)
    # Not sys.executable, which is in .venv itself where that environment is active.
    run(sys._base_executable, "-m", "venv", "--clear", VENV)
    if arguments.installer == "uv":
        install_with_uv()
    else:
        pip("--no-deps", "--require-hashes", "-r", LOCK)
    pip("--no-deps", "--no-build-isolation", "-e", ROOT)
    ready.touch()


def install_with_uv() -> None:
    """Install uv with pip, at the version of the lock, then the lock with uv."""
    own_lock = VENV / "uv.lock"
    own_lock.write_text(locked("uv"), "utf-8")
    pip("--no-deps", "--require-hashes", "-r", own_lock)
    settings = pip_settings(output(BIN / "pip", "config", "list"))
    run(
        *(BIN / "uv", "pip", "install", "--quiet", "--python", BIN / "python"),
        *(["--no-index"] if settings.get("no-index") in ("1", "true", "yes", "on") else []),
        *("--no-deps", "--require-hashes", "--compile-bytecode", "-r", LOCK),
        environment=uv_environment(settings, os.environ),
        hint="Try make check INSTALLER=pip, which installs with pip alone",
    )


def pip_settings(listed: str) -> dict[str, str]:
    """What `pip config list` prints -> the settings that apply to installing, by name."""
    # A setting of a command comes before a global one, one from the environment before both.
    order = {"global": 0, "install": 1, ":env:": 2}
    rows = re.findall(r"^([\w:]+)\.([\w-]+)=(.+)$", listed, re.MULTILINE)
    rows = sorted((row for row in rows if row[0] in order), key=lambda row: order[row[0]])
    return {name: ast.literal_eval(value) for _, name, value in rows}


def uv_environment(settings: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The variables of uv from pip's settings and this process's own variables.

    Variables of uv that the user has set take precedence over pip's settings.
    """
    found = {}
    for name, (variable, separator) in PIP_TO_UV.items():
        if name in settings:
            value = settings[name]
            found[variable] = separator.join(value.split()) if separator else value
    if "UV_INDEX" in found:
        # pip looks in every index; digests make that safe.
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    kept = {name: value for name, value in own.items() if name not in ELSEWHERE}
    return {**found, **kept, "UV_PYTHON_DOWNLOADS": "never"}


def locked(package: str) -> str:
    """A package's entry in the lock, with its digests."""
    pattern = rf"^{re.escape(package)}==.*?[^\\]\n"
    entry = re.search(pattern, LOCK.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    if not entry:
        sys.exit(f"{LOCK.name} does not list {package}. Run make lock")
    return entry[0]


def pip(*words) -> None:
    """Install with the pip of .venv."""
    run(BIN / "pip", "install", "--quiet", "--disable-pip-version-check", *words)


def run(*words, environment=None, hint="") -> None:
    """Run a command; if it fails, print the hint and exit with the command's exit code."""
    done = subprocess.run([str(word) for word in words], env=environment, check=False)
    if done.returncode:
        if hint:
            print(hint, file=sys.stderr)
        sys.exit(done.returncode)


def output(*words) -> str:
    """What a command prints."""
    return subprocess.run(
        [str(word) for word in words], stdout=subprocess.PIPE, check=True, encoding="utf-8"
    ).stdout


if __name__ == "__main__":
    main()
