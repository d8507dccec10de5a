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
    option = "Set --reports or --cache"
    remedy = "a directory on a local disk, or mount this file system with locks"
    with (
        pytest.raises(InputError, match=f"r/lock: {why}. {option} to {remedy}"),
        locks.claimed(run_dir),
    ):
        pass
    path = tmp_path / "cache" / "lock"
    with (
        pytest.raises(InputError, match=f"{path}: {why}. {option} to {remedy}"),
        locks.locked(path),
    ):
        pass
    place = f"{tmp_path}/tmp/gfr-gate.lock"
    with pytest.raises(InputError, match=f"{place}: {why}. Set TMPDIR to {remedy}"), locks.turn():
        pass
    (note,) = doctor._runs(tmp_path / "reports")
    assert "cannot be locked" in note.finding


def test_a_gpu_whose_id_has_slashes_is_locked_by_one_file(tmp_path, monkeypatch):
    """A part of a GPU (MIG) in the names that CUDA 11 uses."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    parts = ("MIG-GPU-3f2a/1/0", "MIG-GPU-3f2a/2/0", "GPU-3f2a", "0")
    with locks.turn(parts) as first, locks.turn(parts) as second:
        assert parts[:2] == (first, second)
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert [
        "gfr-gate.lock",
        "gfr-gpu-0.lock",
        "gfr-gpu-GPU-3f2a.lock",
        "gfr-gpu-MIG-GPU-3f2a%2F1%2F0.lock",
        "gfr-gpu-MIG-GPU-3f2a%2F2%2F0.lock",
        "gfr-steps.lock",
    ] == files
