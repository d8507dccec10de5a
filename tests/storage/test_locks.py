"""Locks of the machine."""

import tempfile

from gfr.storage import locks


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
