"""Other runners than threads give the same results; a worker that sees other files is refused."""

import dataclasses
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import write_celeba
from processes import wait_for
from test_flow import assert_equal_results, gfr, run, run_words, trials

from flows import task_runners
from gfr.errors import InputError
from gfr.models import feature_store
from gfr.pipeline import shared_storage
from gfr.progress import reporter
from gfr.results import records, store
from gfr.storage import run_directory, serialization
from gfr.storage.paths import ROOT
from tasks import worker_log

# Two trials on one feature set of two shards. `auto` would choose the precision by the load.
TWO_SHARDS = (
    (ROOT / "benchmarks" / "tiny.toml").read_text().replace("images = 64", "images = 600")
    + '\n[features]\nprecision = "float32"\n'
    + "\n[[iteration]]\nnumber = 2\nsize = [32, 32]\nepochs = 3\n"
)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("slurm", "unknown. Known: threads"),
        ("threads:0", "'0' is not a number of workers"),
        ("dask:two", "'two' is not a number of workers"),
    ],
)
def test_an_unknown_runner_is_refused_with_the_known_ones(setting, says):
    """The message lists the known runners."""
    with pytest.raises(InputError, match=says):
        task_runners.make(setting)


def test_parts_share_the_shards_of_a_feature_set():
    """Each shard is in exactly one part."""
    for of in (1, 2, 3, 5):
        found = [k for n in range(1, of + 1) for k in feature_store.Part(n, of).shards(1100)]
        assert [0, 1, 2] == sorted(found)


def test_what_a_worker_reports_is_shown_beside_the_flow(tmp_path, monkeypatch, caplog):
    """Progress while the step is at work, and log lines; what a killed run left is not shown."""
    caplog.set_level(logging.DEBUG, "gfr")
    shown_early = threading.Event()

    def step(run_dir, count):
        reporter("VGG16 at 64x64", "images", (2, 3))(count, 600)
        wait_for(lambda: any(hasattr(row, "step") for row in caplog.records))
        shown_early.set()
        logging.getLogger("gfr").info("part 2 is done")

    left = tmp_path / "workers" / "other-1.jsonl"
    left.parent.mkdir()
    left.write_text('{"name": "gfr", "levelno": 20, "msg": "of a killed run"}\n')
    monkeypatch.setattr(logging.getLogger("gfr"), "propagate", False)  # only what the files bring
    monkeypatch.setattr(logging.getLogger("gfr"), "handlers", [caplog.handler])
    with worker_log.followed(tmp_path):
        monkeypatch.setattr(worker_log, "_FOLLOWED", set())  # as in a worker's process
        monkeypatch.setattr(caplog.handler, "filters", [only_from_files])
        worker_log.sent_to_flow(step)(tmp_path, 256)
    progress, line = caplog.records
    assert ("VGG16 at 64x64", [2, 3], 256, 600) == (
        progress.step, progress.part, progress.done, progress.total,
    )  # fmt: skip
    assert ("part 2 is done", True, False) == (
        line.getMessage(), shown_early.is_set(), left.parent.exists(),
    )  # fmt: skip


def only_from_files(record):
    """Whether a record was read from a worker's file: such a one has no place in the code."""
    return not record.lineno


@pytest.fixture(scope="module")
def local_run(tmp_path_factory, server_at_hand):
    """A run of two trials on 600 images, with threads."""
    folder = tmp_path_factory.mktemp("runners")
    write_celeba(folder / "celeba", 600)
    done = run(folder, "local", "--data", "celeba", spec=TWO_SHARDS)
    assert 0 == done.returncode, done.stderr
    return folder


@pytest.mark.slow
def test_two_dask_workers_share_the_work_and_change_no_number(local_run, tmp_path):
    """The scheduler and both workers are processes of their own on loopback."""
    environment = {**os.environ, "DO_NOT_TRACK": "1"}
    address = tmp_path / "scheduler.json"
    began = []

    def dask(*words):
        command = [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]]
        began.append(subprocess.Popen(command, cwd=tmp_path, env=environment))

    try:
        dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
             "--scheduler-file", str(address))  # fmt: skip
        wait_for(address.exists)
        for _ in range(2):
            dask("worker", "--scheduler-file", str(address), "--nthreads", "1", "--no-dashboard",
                 "--local-directory", str(tmp_path))  # fmt: skip
        place = json.loads(address.read_text())["address"]
        wait_for(lambda: num_workers(place) == 2)
        done = subprocess.run(
            run_words("dask", "--data", "celeba", "--fresh", "--runner", f"dask:{place}"),
            cwd=local_run, capture_output=True, text=True,
        )  # fmt: skip
        assert 0 == done.returncode, done.stderr
        assert "part 2 of 2: 88 images computed" in done.stderr
        assert "iteration 2: test accuracy" in done.stderr
    finally:
        for process in began:
            process.terminate()
            process.wait(timeout=20)
    assert_equal_results(trials(local_run, "local"), trials(local_run, "dask"))
    found = store.read_run(local_run / "reports" / "runs" / "dask")
    for result in found.trials:
        parts = result.features.parts
        assert [512, 88] == [row.extracted.num_computed for row in parts]
    workers = {row.worker for result in found.trials for row in result.features.parts}
    page = (found.directory / "summary.md").read_text()
    assert (2, True) == (len(workers), all(name in page for name in workers))


def num_workers(address):
    """How many workers a scheduler has."""
    import distributed

    with distributed.Client(address, set_as_default=False) as client:
        return len(client.scheduler_info(n_workers=-1)["workers"])


@pytest.mark.slow
def test_a_worker_that_sees_other_files_is_refused_by_name(local_run, tmp_path):
    """A missing run directory, another cache and missing images are each named, with the worker."""
    run_dir = run_directory.directory(local_run / "reports", "local")
    shared_storage.check(run_dir, "far/1")
    with pytest.raises(InputError, match=r"worker far/1: .*nowhere/run.json is not there"):
        shared_storage.check(Path("nowhere"), "far/1")
    with pytest.raises(InputError, match="worker far/1: nowhere is not there"):
        shared_storage.check_images(Path("nowhere"), "far/1")
    other = tmp_path / "run"
    record = serialization.read(run_dir / "run.json", records.RunRecord)
    shutil.copytree(run_dir, other)
    serialization.write(other / "run.json", dataclasses.replace(record, cache_id="another"))
    with pytest.raises(InputError, match="is a different cache"):
        shared_storage.check(other, "far/1")
    refused = gfr(local_run, "run", "ten.toml", "--runner", "slurm")
    assert (2, True) == (refused.returncode, "runner 'slurm': unknown" in refused.stderr)
