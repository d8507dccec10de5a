"""Saved benchmark runs: their machine, and invalid files."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import records

from gfr.errors import InputError
from gfr.regression import fingerprint
from gfr.storage.paths import ROOT

sys.path.append(str(ROOT))
from benchmarks.tools import compare

FIGURES = {
    **{"num_calls": 8, "min_s": 1.0, "p10_s": 1.1, "p50_s": 1.2, "p95_s": 1.3},
    **{"cpu_p10_s": 2.0, "witness_s": 0.01, "relative": 99.0, "others_share": 0.0},
}
VERSIONS = {"keras": "3.15.1", "numpy": "2.1.3"}


def document(**figures):
    """The parts of pytest-benchmark's file that are read."""
    return {
        "machine_info": {"gfr": {"fingerprint": "f1"}},
        "commit_info": {"id": "abc"},
        "benchmarks": [{"fullname": "b.py::b", "extra_info": FIGURES | figures}],
    }


def facts(machine=records.HARDWARE, threads=2, versions=VERSIONS, settings=None):
    """Facts of the machine in tests/records.py."""
    return fingerprint.facts(machine, threads, versions, settings or {})


def test_the_fingerprint_depends_on_all_facts():
    """Equal facts, equal fingerprint; CPU, flags, threads, versions and settings each change it."""
    known = fingerprint.fingerprint(facts())
    assert 12 == len(known)
    assert known == fingerprint.fingerprint(facts(replace(records.HARDWARE, cpu_load=9.0)))
    assert known == fingerprint.fingerprint(facts(versions=dict(reversed(VERSIONS.items()))))
    others = [
        facts(replace(records.HARDWARE, cpu_model="another")),
        facts(replace(records.HARDWARE, cpu_flags=("avx2",))),
        facts(threads=1),
        facts(versions=VERSIONS | {"keras": "3.16.0"}),
        facts(settings={"TF_ENABLE_ONEDNN_OPTS": "0"}),
    ]
    assert 6 == len({known, *map(fingerprint.fingerprint, others)})


def test_a_saved_run_is_read_by_full_name(tmp_path):
    """Figures that the rule does not use are ignored."""
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document()))
    run = fingerprint.read(path)
    assert ("run.json", "f1") == (run.name, run.fingerprint)
    assert (1.0, 2.0) == (run.measured["b.py::b"].min_s, run.measured["b.py::b"].cpu_p10_s)


def test_a_run_saved_before_the_benchmarks_moved_is_still_their_baseline(tmp_path, monkeypatch):
    """A file with the older full names settles a comparison of the present ones."""
    old, new = document(), document()
    old["benchmarks"][0]["fullname"] = "benchmarks/test_report.py::test_report"
    new["benchmarks"][0]["fullname"] = "benchmarks/micro/test_report.py::test_report"
    for name, content in (("f1/1.json", old), ("new.json", new)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    measured = fingerprint.read(tmp_path / "new.json")
    monkeypatch.setattr(compare, "measure", lambda tests: (new, measured))
    assert 0 == compare.compare(["benchmarks/micro"], tmp_path)
    assert ["1.json"] == [path.name for path in (tmp_path / "f1").iterdir()]  # nothing new to save


@pytest.mark.parametrize(
    ("num_saved", "engine"), [(1, "LiteRT 2.0"), (2, "LiteRT 2.1"), (2, "OpenVINO 2.0"), (2, "")]
)
def test_a_new_version_of_an_engine_starts_a_new_baseline(tmp_path, monkeypatch, num_saved, engine):
    """A benchmark is compared with runs of the same engine and version, else it is saved."""
    slow = {"min_s": 2.0, "p10_s": 2.0, "relative": 198.0}
    old, new = document(engine="LiteRT 2.0"), document(engine=engine, **slow)
    for name, content in (("f1/1.json", old), ("new.json", new)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    measured = fingerprint.read(tmp_path / "new.json")
    monkeypatch.setattr(compare, "measure", lambda tests: (new, measured))
    is_compared = num_saved == 1
    assert (3 if is_compared else 0) == compare.compare(["benchmarks/micro"], tmp_path)
    assert num_saved == len(list((tmp_path / "f1").iterdir()))


@pytest.mark.parametrize(
    ("expected", "content"),
    [
        ("not written by `make bench`", b""),
        ("not written by `make bench`", b"\x80\xff garbage"),
        ("not written by `make bench`", b"[" * 100_000),
        ("not written by `make bench`", b"{}"),
        ("not written by `make bench`", b"[1, 2]"),
        ("not written by `make bench`", b'{"machine_info": null}'),
        ("b.py::b.min_s: ", json.dumps(document(min_s=-1.0)).encode()),
        ("b.py::b.min_s: ", json.dumps(document(min_s="fast")).encode()),
        ("b.py::b.cpu_p10_s: ", json.dumps(document(cpu_p10_s=float("nan"))).encode()),
    ],
    ids=range(9),
)
def test_a_damaged_file_is_named_in_one_line(expected, content, tmp_path):
    """For any content."""
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        fingerprint.read(path)
    assert f"{path}: left out ({expected}" in str(caught.value)
    assert 1 == len(str(caught.value).splitlines())


def test_invalid_and_foreign_files_are_left_out(tmp_path):
    """Runs of this fingerprint, oldest first, and a line per file left out."""
    for name in ("2.json", "1.json"):
        (tmp_path / name).write_text(json.dumps(document()))
    (tmp_path / "3.json").write_text("garbage")
    (tmp_path / "4.json").mkdir()
    foreign = document() | {"machine_info": {"gfr": {"fingerprint": "f2"}}}
    (tmp_path / "5.json").write_text(json.dumps(foreign))
    runs, problems = fingerprint.load(tmp_path, "f1")
    assert ["1.json", "2.json"] == [run.name for run in runs]
    assert ["3.json", "4.json", "5.json"] == [line.split(":")[0][-6:] for line in problems]


def test_a_missing_folder_is_not_an_error(tmp_path):
    """The first comparison on a machine has no saved runs."""
    assert ([], []) == fingerprint.load(tmp_path / "none", "f1")


def test_deciding_needs_no_tensorflow():
    """The comparison itself starts in a second; only its child process imports TensorFlow."""
    program = "import sys, benchmarks.tools.compare; print('tensorflow' in sys.modules)"
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert "False" == done.stdout.strip(), done.stderr


@pytest.mark.slow
def test_a_benchmark_is_saved_with_what_comparisons_need(tmp_path):
    """The first comparison on a machine finds no baseline and leaves one."""
    words = [sys.executable, "-m", "benchmarks.tools.compare", "--storage", tmp_path]
    words += ["benchmarks/micro/test_report.py"]
    # pytest-benchmark times nothing where it believes itself in a process of `pytest -n`.
    alone = {name: value for name, value in os.environ.items() if "XDIST" not in name}
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env=alone)
    assert 0 == done.returncode, done.stderr
    assert "no baseline" in done.stdout
    (path,) = tmp_path.glob("*/*.json")
    (measured,) = fingerprint.read(path).measured.values()
    assert 0 < measured.relative == pytest.approx(measured.p50_s / measured.witness_s, rel=0.5)
