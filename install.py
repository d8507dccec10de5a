"""Make the environment .venv from requirements.lock: `python3.11 install.py`; `make` calls it.

Needs only the standard library of the Python that the environment is made with. uv installs the
lock; `--installer pip` is the fallback, about twice as slow.
"""

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
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
}


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
    shutil.rmtree(VENV, ignore_errors=True)
    run(sys.executable, "-m", "venv", VENV)
    if arguments.installer == "uv":
        install_with_uv()
    else:
        pip("--no-deps", "--require-hashes", "-r", LOCK)
    pip("--no-deps", "--no-build-isolation", "-e", ROOT)
    (VENV / ".ready").touch()


def install_with_uv() -> None:
    """Install uv with pip, at the version of the lock, then the lock with uv."""
    own_lock = VENV / "uv.lock"
    own_lock.write_text(locked("uv"), "utf-8")
    pip("--no-deps", "--require-hashes", "-r", own_lock)
    options = ["--quiet", "--no-deps", "--require-hashes", "--compile-bytecode", "-r", LOCK]
    settings = uv_settings(output(BIN / "pip", "config", "list"))
    run(BIN / "uv", "pip", "install", *options, environment={**settings, **os.environ})


def uv_settings(pip_configuration: str) -> dict[str, str]:
    """What `pip config list` prints -> environment variables that make uv use the same indexes."""
    # A setting of a command comes before a global one, one from the environment before both.
    order = {"global": 0, "install": 1, ":env:": 2}
    rows = re.findall(r"^([\w:]+)\.([\w-]+)=(.+)$", pip_configuration, re.MULTILINE)
    settings = {"UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(VENV)}
    for section, name, value in sorted(rows, key=lambda row: order.get(row[0], -1)):
        if section in order and name in PIP_TO_UV:
            variable, separator = PIP_TO_UV[name]
            values = ast.literal_eval(value)
            settings[variable] = separator.join(values.split()) if separator else values
    if "UV_INDEX" in settings:
        # pip looks in every index; digests make that safe.
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return settings


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


def run(*words, environment=None) -> None:
    """Run a command; its failure ends this program with the command's exit code."""
    done = subprocess.run([str(word) for word in words], env=environment, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def output(*words) -> str:
    """What a command prints."""
    return subprocess.run(
        [str(word) for word in words], stdout=subprocess.PIPE, check=True, encoding="utf-8"
    ).stdout


if __name__ == "__main__":
    main()
