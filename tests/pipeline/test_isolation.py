"""A step that dies, hangs or swells costs itself alone."""

import json
import os
import subprocess
import sys
import threading
import time

import psutil
import pytest
from processes import is_alive, wait_for
from test_flow import SPEC, run_words

from gfr.errors import InputError, StepFailed
from gfr.pipeline import isolation
from gfr.pipeline.isolation import Limits
from gfr.results import store
from gfr.storage import locks
from gfr.storage.paths import ROOT

FAULTS = str(ROOT / "tests" / "faults")


def run(folder, *more, faults):
    """`gfr run` of five small trials in `folder`, which is to go wrong there."""
    (folder / "ten.toml").write_text(SPEC.replace('backbones = ["VGG16"]\n', ""))
    path = os.pathsep.join([FAULTS, str(ROOT)])
    return subprocess.run(
        run_words("r", *more),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "GFR_FAULTS": json.dumps(faults)},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_four_trials_die_in_four_ways_and_the_fifth_is_selected(tmp_path, server_at_hand):
    """Abort, silence, memory, exception: each a row with its reason.

    Going on does what failed again, and what dies once more then is tried once more.
    """
    faults = [
        {"at": "progress:VGG16 / iteration 1", "do": "abort"},
        {"at": "progress:VGG16 / iteration 2", "do": "hang"},
        {"at": "progress:MobileNet / iteration 1", "do": "allocate"},
        {"at": "progress:MobileNet / iteration 2", "do": "raise"},
    ]
    limits = ("--timeout", "60", "--memory-limit", "2", "--retries", "0")
    done = run(tmp_path, *limits, faults=faults)
    assert 1 == done.returncode, done.stderr
    assert "gfr: 4 of 5 trials failed" in done.stderr
    found = store.read_run(tmp_path / "reports" / "runs" / "r")
    reasons = {row.trial.id: row.reason for row in found.failures}
    assert reasons["VGG16-iteration-1"].endswith("ended with SIGABRT")
    assert "no progress for 60 s" in reasons["VGG16-iteration-2"]
    assert "more than the limit of 2.0 GB" in reasons["MobileNet-iteration-1"]
    assert "RuntimeError: made to fail" in reasons["MobileNet-iteration-2"]
    assert "MobileNet-iteration-3" == found.selection.trial_id
    page = (found.directory / "summary.md").read_text()
    assert all(reason in page for reason in reasons.values())
    once = tmp_path / "once"
    at = "progress:MobileNet / iteration 2"
    done = run(tmp_path, faults=[{"at": at, "do": "segfault", "once": str(once)}])
    assert 0 == done.returncode, done.stderr
    assert once.exists()
    again = store.read_run(found.directory)
    assert (5, 0) == (len(again.trials), len(again.failures))


def test_a_child_goes_with_its_parent():
    """kill -9 of the parent in mid step, which has no chance to tidy up."""
    program = (
        "from gfr.pipeline.isolation import Limits, call; call('time:sleep', 600, limits=Limits())"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    wait_for(lambda: psutil.Process(parent.pid).children())
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    wait_for(lambda: not is_alive(child), timeout_s=10)


def test_the_next_step_finds_a_healthy_process():
    """After a death a new one, after success the same one."""
    first = isolation.call("os:getpid", limits=Limits())
    assert first == isolation.call("os:getpid", limits=Limits())
    with pytest.raises(StepFailed, match="ended with SIGABRT"):
        isolation.call("os:abort", limits=Limits())
    second = isolation.call("os:getpid", limits=Limits())
    assert first != second != os.getpid()
    with pytest.raises(StepFailed, match="ZeroDivisionError: "):
        isolation.call("operator:truediv", 1, 0, limits=Limits())
    with pytest.raises(StepFailed, match=r"no progress for 0\.5 s"):
        isolation.call("time:sleep", 60, limits=Limits(silence_s=0.5))
    assert "1" == isolation.call("os:getenv", "CUDA_VISIBLE_DEVICES", limits=Limits(), gpu="1")
    with pytest.raises(InputError, match="cannot be read"):
        isolation.call("gfr.results.store:read_run", ROOT / "nothing", limits=Limits())


def test_a_worker_starts_without_what_tensorflow_takes_along():
    """It costs a third of the start; whoever wants it afterwards has it."""
    isolation.end_idle()
    isolation.call("gfr.measurement.software:version", "tensorflow", limits=Limits())

    def there(name):
        text = f"{name!r} in __import__('sys').modules"
        return isolation.call("builtins:eval", text, limits=Limits())

    names = ("tensorflow", "keras", "sklearn", "matplotlib", "jax")
    assert [True, True, False, False, False] == [there(name) for name in names]
    version = isolation.call("builtins:eval", "__import__('sklearn').__version__", limits=Limits())
    assert version and there("sklearn")


def test_steps_wait_for_each_other_and_one_directory_has_one_owner(tmp_path, monkeypatch):
    """Alone means alone; with two GPUs two steps run at the same time, a third waits."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    order = []

    def step(name, alone):
        with locks.turn() if alone else locks.turn(["0", "1"]):
            order.append(f"{name} begins")
            time.sleep(0.3)
            order.append(f"{name} ends")

    def together(*steps):
        order.clear()
        threads = [threading.Thread(target=step, args=row) for row in steps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [line.split()[1] for line in order]

    assert ["begins", "ends"] * 2 == together(("a", True), ("b", False))
    assert ["begins", "begins", "ends", "ends"] == together(("a", False), ("b", False))
    three = together(("a", False), ("b", False), ("c", False))
    assert (["begins", "begins", "ends"], 3) == (three[:3], three.count("ends"))
    with locks.timing():
        waiting = threading.Thread(target=lambda: locks.unhurried().__enter__(), daemon=True)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
    waiting.join(5)
    assert not waiting.is_alive()
    with (
        locks.claimed(tmp_path / "r"),
        pytest.raises(InputError, match="run r: is in progress in another process"),
        locks.claimed(tmp_path / "r"),
    ):
        pass
