"""Locks where there are none, and of GPUs with unusual names."""

import errno
import fcntl
import os
import tempfile

import pytest

from gfr.errors import InputError
from gfr.pipeline import doctor
from gfr.storage import locks


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_named_with_what_to_do(tmp_path, monkeypatch, number):
    """A run directory, a cache and the temporary directory; the doctor goes on with a note."""
    run_dir = tmp_path / "reports" / "runs" / "r"
    with locks.claimed(run_dir):
        (run_dir / "run.json").write_text("{}")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    why = f"cannot be locked \\({os.strerror(number)}\\)"
    remedy = "a directory on a local disk, or mount this file system with locks"
    with pytest.raises(InputError, match=f"r/lock: {why}. Name {remedy}"), locks.claimed(run_dir):
        pass
    path = tmp_path / "cache" / "lock"
    with pytest.raises(InputError, match=f"{path}: {why}. Name {remedy}"), locks.locked(path):
        pass
    place = f"{tmp_path}/tmp/gfr-gate.lock"
    with pytest.raises(InputError, match=f"{place}: {why}. Set TMPDIR to {remedy}"), locks.turn():
        pass
    (note,) = doctor._runs(tmp_path / "reports")
    assert "cannot be locked" in note.finding


def test_two_parts_of_one_gpu_have_a_lock_each(tmp_path, monkeypatch):
    """MIG names have slashes, which are no directories."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names = ("MIG-GPU-1b/1/0", "MIG-GPU-1b/2/0")
    with locks.turn(names) as first, locks.turn(names) as second:
        assert names == (first, second)
