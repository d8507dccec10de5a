"""What a cleaning removes, what it never touches, and what a kill in the middle of it leaves."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import records

from cli import exit_codes, main
from gfr.errors import InputError
from gfr.regression import history
from gfr.results import cleanup, status, store
from gfr.results.cleanup import REMOVED, Rule
from gfr.storage import locks, paths, serialization

NOW_S = 1_764_547_200.0  # 2025-12-01; runs are begun on the days before
DAY_S = 86_400


@pytest.fixture
def place(tmp_path):
    """Four finished runs of `smoke`, one a day, and a cache with the features of all."""
    for day in range(1, 5):
        write(tmp_path, f"run-{day}", day)
    return tmp_path


def write(place, run_id, day, name="smoke", **changes):
    """A finished run, begun on that day of November 2025."""
    run = records.run(place / "reports" / "runs" / run_id)
    benchmark = replace(records.BENCHMARK, name=name)
    created = f"2025-11-{day:02}T02:00:00.000+00:00"
    record = replace(run.record, run_id=run_id, created_utc=created, benchmark=benchmark, **changes)
    trials = tuple(replace(row, run_id=run_id) for row in run.trials)
    run = replace(run, record=record, trials=trials)
    records.write(run)
    return run


def plan(place, *rule, **more):
    """What goes, by name, and why something stays."""
    remove, keep = cleanup.plan(place / "reports", place / "cache", Rule(*rule, **more), NOW_S)
    return names(remove), {Path(row.path).name: row.why for row in keep}


def names(items):
    """The last part of each path."""
    return [Path(row.path).name for row in items]


def clean(place, *rule, **more):
    """Remove it; returns what is gone and what is not."""
    remove, _ = cleanup.plan(place / "reports", place / "cache", Rule(*rule, **more), NOW_S)
    return cleanup.carry_out(remove)


def there(place):
    """The runs that `gfr list` would name, readable."""
    found = status.collect(records.BENCHMARK, place / "cache", place / "reports").runs
    assert not [row for row in found if "unreadable" in row.state or "trials" in row.state]
    return sorted(row.run_id for row in found)


def test_by_number_by_age_and_by_both(place):
    """Without a rule nothing goes; with two, what both let go."""
    assert ([], {}) == plan(place)
    assert (["run-1", "run-2"], {}) == plan(place, 2)
    assert (["run-1", "run-2", "run-3"], {}) == plan(place, None, 27.5)
    assert (["run-1"], {}) == plan(place, 2, 29.5)
    assert ([], {}) == plan(place, 4)
    for wrong in ((0,), (None, -1.0), (None, float("nan"))):
        with pytest.raises(InputError):
            Rule(*wrong)


def test_the_newest_of_each_benchmark_stays(place):
    """However old; benchmarks are counted apart, and one may be named."""
    write(place, "other-1", 1, "other")
    write(place, "other-2", 2, "other")
    going, kept = plan(place, None, 0)
    assert ["other-1", "run-1", "run-2", "run-3"] == going
    assert {"other-2": "the newest finished run of other"}.items() <= kept.items()
    assert ["other-1"] == plan(place, 1, benchmark="other")[0]


def test_what_someone_relies_on_stays(place):
    """A run stays that is in progress, accepted, shown in the summary, a link, garbage or away."""
    runs_dir = place / "reports" / "runs"
    history.accept(store.read_run(runs_dir / "run-2"))
    (place / "reports" / "summary.md").write_text("![A](runs/run-3/figures/a.png) runs/run-33")
    (runs_dir / "garbage").mkdir()
    (runs_dir / "garbage" / "run.json").write_text("{")
    (runs_dir / "file").write_text("")
    elsewhere = write(place / "elsewhere", "run-0", 1).directory
    (runs_dir / "run-0").symlink_to(elsewhere)
    away = write(place, "away", 1).directory
    (away / "selection.json").unlink()
    (away / "lock").write_text("another-machine")
    with locks.claimed(runs_dir / "run-1"):
        going, kept = plan(place, 1)
        gone, failed = clean(place, 1)
    assert ([], [], []) == (going, gone, failed)
    assert "in progress" == kept["run-1"]
    assert "accepted" in kept["run-2"]
    assert "shown in reports/summary.md" == kept["run-3"]
    assert "a link" in kept["run-0"]
    assert "another-machine" in kept["away"]
    assert "by hand" in kept["garbage"] and "by hand" in kept["file"]
    assert (elsewhere / "run.json").exists()


def test_an_unfinished_run_goes_with_the_older_ones(place):
    """A dead one newer than the newest that stay is left for whoever wants to go on with it."""
    for run_id in ("run-1", "run-4"):
        (place / "reports" / "runs" / run_id / "selection.json").unlink()
    assert ["run-1", "run-2"] == plan(place, 1)[0]


def test_a_run_begun_after_the_look_is_not_removed(place):
    """The plan is old news by then."""
    remove, _ = cleanup.plan(place / "reports", place / "cache", Rule(3), NOW_S)
    with locks.claimed(place / "reports" / "runs" / "run-1"):
        gone, failed = cleanup.carry_out(remove)
    assert ([], ["run-1"]) == (gone, names(failed))
    assert "in progress" in failed[0].why
    assert 4 == len(there(place))


def test_links_in_a_run_are_removed_and_not_followed(place):
    """What they lead to is someone else's."""
    treasure = place / "treasure"
    treasure.mkdir()
    (treasure / "kept.txt").write_text("gold")
    (place / "reports" / "runs" / "run-1" / "link").symlink_to(treasure)
    assert ["run-1"] == names(clean(place, 3)[0])
    assert "gold" == (treasure / "kept.txt").read_text()


KILLED = """
import os, shutil, sys
from pathlib import Path
from gfr.results import cleanup
from gfr.results.cleanup import Rule
def die(*_): os._exit(9)
shutil.rmtree = die
place = Path(sys.argv[1])
remove, _ = cleanup.plan(place / "reports", place / "cache", Rule(2), 1764547200.0)
cleanup.carry_out(remove)
"""


def test_a_kill_in_the_middle_leaves_no_half_run(place):
    """The run is out of sight as soon as anything of it is gone; the next cleaning ends it."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(place)], cwd=paths.ROOT)
    assert 9 == done.returncode
    assert ["run-2", "run-3", "run-4"] == there(place)
    (left,) = (place / "reports" / "runs" / REMOVED).iterdir()
    assert left.name.endswith("-run-1")
    assert ["run-2", left.name] == names(clean(place, 2)[0])
    assert ([], ["run-3", "run-4"]) == (list(left.parent.iterdir()), there(place))


def test_what_cannot_be_removed_is_named(place, monkeypatch):
    """And the others go."""

    def closed(path):
        if path.name.endswith("run-1"):
            raise PermissionError(13, "Permission denied", str(path / "faces.csv"))

    monkeypatch.setattr(cleanup.shutil, "rmtree", closed)
    gone, failed = clean(place, 2)
    assert (["run-2"], ["run-1"]) == (names(gone), names(failed))
    assert "cannot be removed (Permission denied" in failed[0].why


def test_lines_of_histories_outlive_their_runs(place):
    """Also when the histories are written anew."""
    reports = place / "reports"
    history.rebuild(reports)
    (file,) = (reports / "history").glob("*.jsonl")
    clean(place, 1)
    assert 1 == history.rebuild(reports)
    assert ["run-1", "run-2", "run-3", "run-4"] == [row.run_id for row in history.load(file)]


def feature_set(place, name, age_s):
    """Cached features, last opened so long ago."""
    folder = place / "cache" / "features" / name
    folder.mkdir(parents=True)
    (folder / "00000-0.npy").write_bytes(bytes(1000))
    (folder / "key.json").write_text("{}")
    os.utime(folder / "key.json", (NOW_S - age_s,) * 2)
    return folder


def test_features_go_if_no_kept_run_is_made_of_them(place):
    """Not those in use, nor those opened within a day, nor what is no feature set."""
    run = store.read_run(place / "reports" / "runs" / "run-1")
    for name in ("old", "kept", "recent"):
        feature_set(place, name, DAY_S / 2 if name == "recent" else 2 * DAY_S)
    (place / "cache" / "features" / "mine").mkdir()
    for run_id, name in (("run-1", "old"), ("run-4", "kept")):
        (part,) = run.trials[0].features.parts
        extracted = replace(part.extracted, directory=str(place / "cache" / "features" / name))
        found = replace(run.trials[0].features, parts=(replace(part, extracted=extracted),))
        serialization.write(place / "reports" / "runs" / run_id / "features" / "a.json", found)
    assert [] == plan(place, 1)[0][3:]
    assert ["old"] == plan(place, 3, unused_features=True)[0][1:]
    assert ["run-1", "old"] == names(clean(place, 3, unused_features=True)[0])
    left = {path.name for path in (place / "cache" / "features").iterdir()}
    assert {"kept", "recent", "mine"} == left


def test_what_killed_writers_left_goes_after_a_day(place):
    """Files and directories by the names that writers give them; nothing else that begins so."""
    export = place / "reports" / "runs" / "run-4" / "export"
    (export / "tmp-0123456789ab-VGG16-iteration-1").mkdir(parents=True)
    for path in (export / "tmp-0123456789ab-VGG16-iteration-1" / "a", export / "tmp-notes.txt"):
        path.write_text("x")
    (place / "cache").mkdir(exist_ok=True)
    for name, age_s in (("tmp-0123456789ab-a.npy", 2 * DAY_S), ("tmp-0123456789ac-a.npy", 60)):
        (place / "cache" / name).write_text("x")
        os.utime(place / "cache" / name, (NOW_S - age_s,) * 2)
    os.utime(export / "tmp-0123456789ab-VGG16-iteration-1", (NOW_S - 2 * DAY_S,) * 2)
    gone, failed = clean(place)
    assert [] == failed
    assert ["tmp-0123456789ab-VGG16-iteration-1", "tmp-0123456789ab-a.npy"] == names(gone)
    assert ["tmp-notes.txt"] == [path.name for path in export.iterdir()]


def test_the_command_shows_first_and_then_removes(place, monkeypatch, capsys):
    """`--dry-run` changes nothing; JSON for scripts; a wrong number is one line."""
    monkeypatch.chdir(place)

    def gfr(keep, *more):
        words = ["--keep", keep, "--reports", "reports", "--cache-dir", "cache", "--json"]
        code = exit_codes.call(lambda: main.app(["clean", *words, *more]))
        return code, *capsys.readouterr()

    shown = json.loads(gfr("1", "--dry-run")[1])
    assert ["run-1", "run-2", "run-3"] == [Path(row["path"]).name for row in shown["would_remove"]]
    assert 4 == len(there(place))
    done = json.loads(gfr("1")[1])
    assert (shown["would_remove"], []) == (done["removed"], done["failed"])
    assert ["run-4"] == there(place)
    wrong = "gfr: keep 0: at least 1 run of each benchmark must stay\n"
    assert (2, "", wrong) == gfr("0")


def test_the_end_of_a_run_removes_its_own_benchmarks_old_runs(place, caplog):
    """Says what is gone; the run itself, still locked, is the newest finished one."""
    write(place, "other-1", 1, "other")
    write(place, "other-2", 2, "other")
    run_dir = place / "reports" / "runs" / "run-4"
    caplog.set_level("INFO", "gfr")
    with locks.claimed(run_dir):
        cleanup.remove_old_runs(run_dir, 2)
    assert ["other-1", "other-2", "run-3", "run-4"] == there(place)
    assert [True, True] == ["older than the 2 newest of smoke" in row for row in caplog.messages]
