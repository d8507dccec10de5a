"""Places that belong to someone else, seen by processes that permissions bind."""

import os
import subprocess
import sys

import pytest
import records

from gfr.storage import serialization
from gfr.storage.paths import ROOT

OTHER = 65534
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
# Root stays root (its Python may lie where no one else reads) but loses what lets it pass by
# permissions: files of others are closed to it as to any user.
PLAIN_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner,-chown"]

# Files of another owner cannot be made without root. CI is root: there nothing is skipped.
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")


def as_user(code, *words):
    """Python code with arguments, in a process that permissions bind."""
    return subprocess.run(
        [*PLAIN_USER, sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
        timeout=120,
    )


# Several commands in one process: a start costs half a second.
COMMANDS = """
import sys
from cli.main import main
for words in sys.argv[1:]:
    sys.argv = ["gfr", *words.split("|")]
    try:
        main()
    except SystemExit as ending:
        print(ending.code, file=sys.stderr)
"""


def test_closed_places_are_named_in_one_line(tmp_path):
    """Reports, cache, data, a record, a benchmark: code 2 and the place, for each command."""
    run = records.run(tmp_path / "reports" / "runs" / "r")
    records.write(run)
    serialization.write(run.directory / "verdict.json", records.verdict(run))
    for name in ("shut", "shut/data", "readonly"):
        (tmp_path / name).mkdir()
    (tmp_path / "own.toml").write_text("")
    os.chown(tmp_path / "own.toml", OTHER, OTHER)
    (tmp_path / "own.toml").chmod(0o600)
    for path in (tmp_path / "shut", run.directory / "run.json"):
        path.chmod(0o700)
        os.chown(path, OTHER, OTHER)
    shut, reports = tmp_path / "shut", tmp_path / "reports"
    cases = {
        f"verdict|r|--reports|{reports}": "run.json: cannot be read (Permission denied)",
        f"report|r|--reports|{reports}": "run.json: cannot be read (Permission denied)",
        f"export|r|--reports|{reports}": "run.json: cannot be read (Permission denied)",
        f"serve|r|--reports|{reports}": "run.json: cannot be read (Permission denied)",
        f"verdict|--rebuild|--reports|{shut}/x": "Permission denied",
        f"list|--reports|{shut}/x": "Permission denied",
        f"list|--cache|{shut}/x": "Permission denied",
        f"list|{tmp_path}/own.toml": "own.toml: cannot be read (Permission denied)",
        f"data|check|{shut}/data": "Permission denied",
        f"run|smoke|--weights|{shut}/data": "Permission denied",
        f"run|smoke|--data|{shut}/data": "Permission denied",
    }
    done = as_user(COMMANDS, *cases)
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert 2 * len(cases) == len(lines), done.stderr
    for (words, expected), said, code in zip(cases.items(), lines[::2], lines[1::2], strict=True):
        assert ("2", True) == (code, expected in said), (words, said)


TURNS = """
import sys
from pathlib import Path
from gfr.storage import locks
from gfr.pipeline import shared_storage
locks._path = lambda name: Path(sys.argv[1]) / f"{name}.lock"
with locks.turn(), locks.unhurried():
    print(shared_storage.mark(Path(sys.argv[2])))
"""


def test_two_users_share_one_machine_and_one_cache(tmp_path):
    """Locks that another user has left, in a folder like /tmp, open for the next."""
    locks, cache = tmp_path / "locks", tmp_path / "cache"
    for folder in (locks, cache):
        folder.mkdir()
        folder.chmod(0o1777)  # sticky, as /tmp
    first = as_user(TURNS, locks, cache)
    for path in (*locks.iterdir(), cache / "lock"):  # from now on another's
        os.chown(path, OTHER, OTHER)
    second = as_user(TURNS, locks, cache)
    assert 0 == second.returncode, second.stderr
    assert first.stdout == second.stdout
    assert len(first.stdout.strip()) == 16


UNREADABLE = """
import sys
from pathlib import Path
from gfr.data import images
try:
    images.decode(Path(sys.argv[1]))
except images.Undecodable as error:
    print(error)
"""


def test_an_unreadable_image_is_dropped_with_its_reason(tmp_path):
    """Not a traceback in the middle of five thousand."""
    path = tmp_path / "face.jpg"
    path.write_bytes(b"")
    path.chmod(0)
    assert "Permission denied\n" == as_user(UNREADABLE, path).stdout
