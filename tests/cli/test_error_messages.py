"""Wrong doors that need a whole command: places that cannot be written, runs that are damaged."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import kept
import pytest
import records

from cli.main import app
from gfr.errors import InputError
from gfr.pipeline import prepare, steps
from gfr.pipeline import request as pipeline_request
from gfr.pipeline.run_options import RunOptions
from gfr.storage import serialization
from gfr.storage.paths import ROOT

GFR = [sys.executable, "-c", "from cli.main import main; main()"]
WORDS = ["--data", "synthetic", "--weights", "random", "--offline"]


def refused(*words):
    """What a command says when it refuses: one line, exit code 2, no traceback."""
    done = kept.gfr(ROOT, *words)
    assert 2 == done.returncode, done.stderr
    assert 1 == len(done.stderr.splitlines()), done.stderr
    return done.stderr


@pytest.fixture
def run(tmp_path):
    """The directory of a finished run."""
    written = records.run(tmp_path / "runs" / "r")
    records.write(written)
    serialization.write(written.directory / "verdict.json", records.verdict(written))
    return written.directory


@pytest.mark.parametrize("option", ["--reports", "--cache"])
def test_a_directory_that_cannot_be_written_is_named_before_any_work(tmp_path, option):
    """A file stands where the directory should be; the other one stays empty."""
    (tmp_path / "file").write_text("")
    below = str(tmp_path / "file" / "below")
    places = {"--reports": str(tmp_path / "other"), "--cache": str(tmp_path / "other")}
    reports, cache = (places | {option: below}).values()
    options = RunOptions("smoke", "synthetic", "random", reports=reports, cache=cache)
    with pytest.raises(InputError) as refusal:
        prepare.prepare(pipeline_request.request(options))
    said = str(refusal.value)
    assert said.startswith(f"{option}: {below}")
    assert "Not a directory" in said and "name another directory" in said
    assert [] == [path for path in tmp_path.rglob("other/*")]


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--data", "none/below: no such directory"),
        ("--reports", "none/below.*Not a directory"),
        ("--cache", "none/below.*Not a directory"),
    ],
)
def test_a_run_that_cannot_begin_is_refused_before_a_process_is_started(
    tmp_path, monkeypatch, capfd, option, says
):
    """Without TensorFlow's seconds, without a run id, without a trace of a run."""
    monkeypatch.setattr(steps, "prepare", None)  # what would start one
    (tmp_path / "none").write_text("")
    places = {"--data": "synthetic", "--reports": tmp_path / "r", "--cache": tmp_path / "c"}
    places[option] = tmp_path / "none" / "below"
    with pytest.raises(InputError, match=says):
        app(["run", "smoke", *(str(word) for pair in places.items() for word in pair)])
    assert ("", "") == capfd.readouterr()
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "none"]


@pytest.fixture
def resumed(tmp_path):
    """A request that resumes a run whose data directory no longer exists."""
    options = RunOptions("smoke", "/none", "random", "r", reports=str(tmp_path), cache="cache")
    request = pipeline_request.request(options)
    with pytest.raises(InputError, match="none: no such directory"):
        pipeline_request.check(request)
    record = replace(
        records.run().record,
        benchmark=request.benchmark,
        data_request=request.options.data,
        weights_request="random",
        cache=request.options.cache,
        fresh=False,
    )
    serialization.write(request.run_dir / "run.json", record)
    return request


def test_a_run_is_resumed_without_its_data(resumed):
    """All that it needs of them may be in the cache."""
    pipeline_request.check(resumed)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"data": "auto"}, "started with --data /none, but got --data auto. Use another --run-id"),
        ({"weights": "auto"}, "started with --weights random, but got --weights auto. Use"),
        ({"fresh": True}, "started with no --fresh, but got --fresh. Use another --run-id, or"),
        ({"benchmark": "tiny"}, "started with benchmark smoke, but got benchmark tiny. Use"),
        ({"max_size_mb": 9}, "but got benchmark smoke with other settings. Use another --run-id"),
    ],
)
def test_a_run_is_not_resumed_with_other_options(resumed, change, says):
    """The message names the option, both values, and the command that resumes the run."""
    with pytest.raises(InputError) as refusal:
        pipeline_request.check(pipeline_request.request(replace(resumed.options, **change)))
    assert says in str(refusal.value)
    assert "or resume with: gfr run" in str(refusal.value)


def test_an_image_that_is_none_costs_no_tensorflow(run):
    """One that is missing, one that is something else: said in a second."""
    program = "import sys; from cli.main import main\ntry: main()\n"
    program += "finally: print('tensorflow' in sys.modules)"
    for name, says in (("none.jpg", "no such image"), ("run.json", "not an image")):
        words = ["predict", str(run / name), "--reports", str(run.parents[1])]
        done = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True
        )
        assert (2, "False\n") == (done.returncode, done.stdout), done.stderr
        assert f"gfr: {run / name}: {says}\n" == done.stderr


def spoil_cut(path):
    """Half of the file."""
    path.write_text(path.read_text()[: path.stat().st_size // 2])


def spoil_empty(path):
    """Nothing left."""
    path.write_text("")


def spoil_schema(path):
    """Written by another version."""
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 0}))


def spoil_key(path):
    """One field is gone."""
    document = json.loads(path.read_text())
    document.popitem()
    path.write_text(json.dumps(document))


def spoil_swap(path):
    """The record of something else under this name."""
    path.write_text(sorted(path.parent.iterdir())[-1].read_text())


def test_a_record_that_contradicts_run_json_names_both(run):
    """Another number of epochs in run.json: which of the two was edited, nobody can tell."""
    document = json.loads((run / "run.json").read_text())
    document["benchmark"]["iteration"][0]["epochs"] += 1
    (run / "run.json").write_text(json.dumps(document))
    said = refused("report", "r", "--reports", run.parents[1])
    assert "VGG16-iteration-1.json: its trial is not that of run.json; " in said


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        ("run.json", spoil_cut, "not a valid RunRecord (the file: Invalid JSON"),
        (
            "run.json",
            spoil_schema,
            "RunRecord (schema is 0, but this version of gfr reads 3); nothing",
        ),
        ("trials/VGG16-iteration-1.json", spoil_cut, "not a valid TrialResult"),
        ("trials/VGG16-iteration-1.json", spoil_schema, "(schema is 0, but this version"),
        ("trials/VGG16-iteration-1.json", spoil_swap, "its trial is not that of run.json"),
        ("latency/VGG16-64x64.json", spoil_key, "not a valid LatencyResult (cost: Field"),
        ("selection.json", spoil_empty, "; delete it and resume with: gfr run"),
        ("verdict.json", spoil_schema, "(schema is 0, but this version of gfr reads 1)"),
    ],
)
def test_a_damaged_record_is_named_with_its_cure(run, name, spoil, words):
    """Cut, empty, of another schema, incomplete, exchanged."""
    spoil(run / name)
    said = refused("report", "r", "--reports", run.parents[1])
    assert f"{run / name}: " in said
    assert words in said


def test_a_run_without_a_verdict_says_how_to_get_one(run):
    """It is of an earlier version, or was killed before it was judged."""
    (run / "verdict.json").unlink()
    said = refused("verdict", "r", "--reports", run.parents[1])
    assert f"{run}: has no verdict. Resume the run with --run-id r" in said


def test_a_comparison_needs_two_runs_and_their_images(run):
    """A run that is not there; a table of the images that is not there."""
    places = ["--reports", run.parents[1]]
    assert "s: no such run; give an id as `gfr list`" in refused("compare", "r", "s", *places)
    (run / "faces.csv").unlink()
    assert "faces.csv: damaged (" in refused("compare", "r", "r", *places)


def test_a_run_without_its_record_is_no_run(run):
    """run.json is gone: nothing else there can be understood."""
    (run / "run.json").unlink()
    assert "no such run; give an id as `gfr list`" in refused(
        "report", "r", "--reports", run.parents[1]
    )


def test_a_damaged_run_does_not_hide_the_others(run):
    """`gfr list` says which one is unreadable; another run of `full` still gets its page."""
    healthy = records.run(run.parent / "s")
    records.write(healthy)
    spoil_cut(run / "run.json")
    words = ["list", "--reports", str(run.parents[1]), "--cache", str(run / "none")]
    done = kept.gfr(ROOT, *words)
    assert 0 == done.returncode, done.stderr
    assert "r    0 trials  unreadable: " in done.stdout
    assert "4 trials  selected VGG16-iteration-2" in done.stdout


FULL_DISK = """
set -e
mount -t tmpfs -o size=5500k none "$1"
cd "$1"
shift
"$@" && exit 1 || test $? = 2
mount -o remount,size=500m .
"$@"
"""


@pytest.mark.slow
def test_a_full_disk_stops_a_run_and_more_room_lets_it_go_on(tmp_path, server_at_hand):
    """A real file system of 5.6 MB: exit 2 and one line in mid run, then the same command ends."""
    (tmp_path / "disk").mkdir()
    places = ["--run-id", "r", "--reports", "reports", "--cache", "cache"]
    tiny = (ROOT / "benchmarks" / "tiny.toml").read_text()
    # The network whose weights take least.
    (tmp_path / "small.toml").write_text(tiny.replace('"MobileNet"', '"MobileNetV3Small"'))
    words = [*GFR, "run", str(tmp_path / "small.toml"), *WORDS, *places]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", FULL_DISK, "sh", str(tmp_path / "disk"), *words],
        capture_output=True,
        text=True,
    )
    assert 0 == done.returncode, done.stderr
    (line,) = re.findall(r"^gfr: .*", done.stderr, re.MULTILINE)
    assert "No space left on device" in line or "is the disk full?" in line
    assert "resume with --run-id r" in line
    assert "Traceback" not in done.stderr
