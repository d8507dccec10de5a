"""The command line as a user meets it: words, exit codes, JSON."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import kept
import numpy as np
import pytest
import records
from PIL import Image

from cli import display, ending, outcome, start
from cli.main import app
from gfr import environment, errors
from gfr.engines.base import Predictions
from gfr.errors import BadInput
from gfr.export import web
from gfr.progress import LOGGER
from gfr.results import store
from gfr.storage import serialization
from gfr.storage.paths import ROOT


def gfr(*words, cwd=ROOT):
    """A command to its end."""
    return kept.gfr(cwd, *words)


WRONG = [
    (("run", "published"), "benchmark 'published': unknown; known: full, smoke"),
    (("run", "fulll"), "benchmark 'fulll': unknown; did you mean full? known: full, smoke"),
    (("run", "missing.toml"), "missing.toml: cannot be read"),
    (("run", "smoke", "--data", "nowhere", "--offline"), "nowhere: no such directory"),
    (("run", "smoke", "--weights", "nowhere", "--offline"), "nowhere': no such directory"),
    (("run", "smoke", "--run-id", "a/b"), "run id 'a/b'"),
    (("data", "check", "nowhere"), "nowhere: no such directory"),
    (("data", "fetch"), "non-commercial research purposes only"),
    (("predict", "face.jpg", "--run", "none"), "no such run"),
    (("serve", "none"), "no such run"),
    (("export", "--precision", "int4"), "precision 'int4': unknown; known: float32, float16"),
]


@pytest.mark.parametrize(("words", "line"), WRONG, ids=[" ".join(row[0]) for row in WRONG])
def test_bad_input_is_one_line_and_exit_code_2(words, line, tmp_path):
    """What, where, how to mend; no traceback."""
    places = ["--reports", tmp_path] if words[0] in ("run", "predict", "serve") else []
    caches = ["--cache", tmp_path] if words[0] == "run" or "check" in words else []
    done = gfr(*words, *places, *caches)
    assert 2 == done.returncode
    assert line in done.stderr
    assert "Traceback" not in done.stderr


def test_a_disk_that_refuses_is_one_line_and_a_defect_keeps_its_traceback(capsys):
    """Whether it was read or written is only said where it is known."""
    cure = "give gfr the right to it, or name another directory"
    for error, line in (
        (PermissionError(13, "Denied", "/a"), f"/a: cannot be read or written (Denied); {cure}"),
        (FileNotFoundError(2, "No such file", "/a"), "/a: No such file"),
        (
            errors.cannot_write("/a", PermissionError(13, "No")),
            f"/a: cannot be written (No); {cure}",
        ),
    ):

        def fail(error=error):
            raise error

        assert 2 == outcome.of(fail)
        assert f"gfr: {line}\n" == capsys.readouterr().err
    for defect in (KeyError("a"), OSError("nothing is known of it"), ValueError()):

        def fail(error=defect):
            raise error

        with pytest.raises(type(defect)):
            outcome.of(fail)


def test_every_option_of_run_reaches_the_flow(monkeypatch, tmp_path):
    """As the flow's parameters, under their names and in their units."""
    asked = []

    def flow(request, runner):
        asked.append(start._parameters(request) | {"runner": runner})
        raise BadInput("seen")

    monkeypatch.setattr(start, "flow", flow)
    words = "--data synthetic --weights random --run-id r --fresh --offline --timeout 7 "
    words += "--memory-limit 2 --retries 3 --max-latency-ms 40 --max-size-mb 90 --keep-runs 5 "
    words += f"--runner dask:2 --cache {tmp_path}/c --reports {tmp_path}/r"
    with pytest.raises(BadInput, match="seen"):
        app(["run", "smoke", *words.split()])
    expected = {
        "benchmark": str(ROOT / "benchmarks" / "smoke.toml"),
        **{"data": "synthetic", "weights": "random", "run_id": "r", "fresh": True},
        **{"allow_download": False, "timeout_s": 7, "memory_limit_gb": 2, "retries": 3},
        **{"max_latency_ms": 40, "max_size_mb": 90, "keep_runs": 5, "runner": "dask:2"},
        **{"cache": f"{tmp_path}/c", "reports": f"{tmp_path}/r", "return_state": True},
    }
    assert [expected] == [{key: row[key] for key in row if key != "command"} for row in asked]


def test_list_names_trials_and_feature_sets(tmp_path):
    """The same facts as text and as JSON, from any directory."""
    words = ("list", "full", "--cache", tmp_path, "--reports", tmp_path)
    found = json.loads(gfr(*words, "--json", cwd=tmp_path).stdout)
    assert (9, 6, [], []) == (
        len(found["trials"]),
        len(found["feature_sets"]),
        found["cached"],
        found["runs"],
    )
    assert "VGG16 / iteration 3" in gfr(*words, cwd=tmp_path).stdout


@pytest.fixture
def no_model(monkeypatch):
    """A model whose p_male is always 0.7; TensorFlow is not imported."""
    answer = SimpleNamespace(load=lambda *_: None)
    classify = lambda pixels: Predictions(np.full(len(pixels), 0.7))  # noqa: E731
    monkeypatch.setattr("gfr.prediction.classifier", lambda _: classify)
    monkeypatch.setattr(environment, "import_tensorflow", lambda: None)
    monkeypatch.setitem(sys.modules, "gfr.engines.keras_model", answer)
    monkeypatch.setattr("gfr.engines.keras_model", answer, raising=False)


def test_predict_names_its_model_and_what_is_far_from_celebas_proportions(
    no_model, tmp_path, capfd
):
    """A run is not always the one that was meant, nor a photograph a face cropped out of it."""
    written = records.run(tmp_path / "runs" / "r")
    records.write(written)
    sizes = ((178, 218), (300, 400), (200, 200), (640, 480), (1000, 1225))
    paths = [str(tmp_path / f"{width}.png") for width, _ in sizes]
    for path, size in zip(paths, sizes, strict=True):
        Image.new("RGB", size).save(path)
    words = ["predict", *paths, "--reports", str(tmp_path)]
    app(words, standalone_mode=False)
    said = capfd.readouterr()
    head, *rows = said.out.splitlines()
    where = "run r of benchmark smoke (trained on synthetic faces)"
    assert f"model: VGG16 / iteration 2, {where}" == head
    assert [f"{path}  p_male 0.700  male" for path in paths] == rows
    assert said.err.startswith(f"gfr: {paths[2]} (and 2 more): 200 wide x 200 high, far from ")
    app([*words, "--trial", "MobileNetV2-iteration-2", "--json"], standalone_mode=False)
    found = json.loads(capfd.readouterr().out)
    remarks = [row["remark"] for row in found]
    assert [False, False, True, True, True] == [bool(remark) for remark in remarks]
    assert remarks[-1].startswith("1000 wide x 1225 high, far larger than CelebA's 178 x 218: ")
    assert {("r", "smoke", "MobileNetV2 / iteration 2")} == {
        (row["run_id"], row["benchmark"], row["trial"]) for row in found
    }
    assert [
        "random weights: not comparable",
        "trained on synthetic faces",
        "not shown to be better than one constant answer, right for 60.0% of the test images",
    ] == found[0]["note"].split("; ")
    with pytest.raises(BadInput, match="is a directory; name the images in it"):
        app(["predict", str(tmp_path), "--reports", str(tmp_path)], standalone_mode=False)
    own = replace(written.record, data=replace(written.record.data, source="csv"))
    serialization.write(written.directory / "run.json", own)
    app(words, standalone_mode=False)
    assert "" == capfd.readouterr().err  # its own images may have any proportions


def test_doctor_finds_this_machine_fit():
    """The locked set is what pyproject.toml asks for; every check is a row."""
    done = gfr("doctor", "--json", "--data", "synthetic")
    checks = json.loads(done.stdout)
    assert 0 == done.returncode
    assert [] == [row for row in checks if row["status"] == "bad"]
    assert {"Python", "prefect", "tensorflow", "CPU", "GPU", "disk", "data"} <= {
        row["subject"] for row in checks
    }


def test_doctor_says_what_data_and_weights_a_run_would_use(monkeypatch, tmp_path):
    """Without CelebA how to get it; without weights whether a run could begin."""
    from gfr.models import weights
    from gfr.pipeline import doctor
    from gfr.storage import paths as storage_paths

    monkeypatch.setattr(storage_paths, "ROOT", tmp_path)
    monkeypatch.setattr(weights, "in_keras_cache", lambda _: None)
    checks = {
        row.subject: row.finding
        for row in doctor.examine("auto", "auto", ROOT, ROOT / "none", True)
    }
    assert "`gfr data fetch` gets it" in checks["data"]
    assert checks["weights VGG16"].endswith("not here: random weights, since offline")
    asked = [
        row
        for row in doctor.examine("auto", "imagenet", ROOT, ROOT / "none", True)
        if "VGG16" in row.subject
    ]
    assert [("bad", True)] == [
        (row.status, "cannot be had offline" in row.finding) for row in asked
    ]


def test_doctor_names_unfinished_runs_with_what_goes_on(tmp_path, monkeypatch):
    """Killed at the start, or in the export; one that is complete is none of its business."""
    from gfr.models import weights
    from gfr.pipeline import doctor

    for name in ("began", "exporting", "r"):
        written = records.run(tmp_path / "runs" / name)
        records.write(written)
        for path in written.directory.glob("trials/*" if name == "began" else "none"):
            path.unlink()
    export = store.export_directory(written.directory, written.selection.trial_id)
    serialization.write(export / "export.json", records.export(written))
    monkeypatch.setattr(weights, "in_keras_cache", lambda _: None)
    checks = doctor.examine("synthetic", "random", ROOT, tmp_path, True)
    found = [row.finding for row in checks if row.subject == "run"]
    where = f"--reports {tmp_path} --cache cache"
    again = f"go on with it: gfr run smoke --run-id r {where}"
    assert [
        f"began: 4 of 4 trials unfinished; {again}",
        f"exporting: the selected model is not exported; {again}",
    ] == found
    listed = gfr("list", "smoke", "--reports", tmp_path, "--cache", tmp_path).stdout.splitlines()
    assert listed[-2].endswith("selected VGG16-iteration-2, the selected model is not exported")
    assert listed[-1].endswith("4 trials  selected VGG16-iteration-2")


def test_data_check_says_what_was_found(celeba, tmp_path):
    """Counts, classes, and what is odd, by a benchmark file beside the user."""
    spec = tmp_path / "forty.toml"
    text = (ROOT / "benchmarks" / "smoke.toml").read_text()
    spec.write_text(text.replace("images = 200", "images = 40"))
    done = gfr("data", "check", celeba(40), "--benchmark", spec.name, cwd=tmp_path)
    assert 0 == done.returncode
    assert "CelebA, 40 of 40 images (20 male, 20 female)" in done.stdout
    assert "none missing or damaged" in done.stdout
    assert "too few" not in done.stdout


def test_data_check_looks_at_all_images_where_no_benchmark_was_named(celeba):
    """Fewer than `full` asks for are looked at, and that is said; by name it is refused."""
    folder = celeba(40)
    done = gfr("data", "check", folder)
    assert 0 == done.returncode
    assert "CelebA, 40 of 40 images (20 male, 20 female)" in done.stdout
    few = f"{folder}/list_attr_celeba.txt: lists 40 images, 5,000 are asked for"
    assert f"too few for benchmark full: {few}" in done.stdout
    named = gfr("data", "check", folder, "--benchmark", "full")
    assert (2, True) == (named.returncode, f"gfr: {few}" in named.stderr)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_becomes_the_exit_code_that_is_documented(number, code):
    """Afterwards the signal is what it was before."""
    before = signal.getsignal(number)
    with pytest.raises(start.Interrupted) as interrupted, start.interruptible():
        os.kill(os.getpid(), number)
    assert (code, before) == (interrupted.value.code, signal.getsignal(number))


def test_serve_says_which_model_it_shows(tmp_path, monkeypatch, capfd):
    """As `gfr predict` does: run, benchmark and what limits its answers, then where it is."""
    written = records.run(tmp_path / "runs" / "r")
    records.write(written)
    export = store.export_directory(written.directory, written.selection.trial_id)
    serialization.write(export / "export.json", records.export(written))
    monkeypatch.setattr(web.PageServer, "run", lambda _: None)
    app(["serve", "r", "--port", "0", "--reports", str(tmp_path)], standalone_mode=False)
    model, address = capfd.readouterr().out.splitlines()
    assert model.startswith("model: VGG16 / iteration 2, run r of benchmark smoke (trained on syn")
    assert address.startswith("http://127.0.0.1:")


def test_the_time_left_is_told_once_enough_is_done_to_know_it(monkeypatch, capfd):
    """By the pace of what is computed: neither the start nor what a cache had says anything."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    found, first, *others = display.effort(records.BENCHMARK)
    told = [(50, "checking images", 9), (51, found, 10), (60, first, 0), (71, first, 1)]
    told += [(72, step, 9) for step in others]
    with display.progress(records.BENCHMARK):
        for now_s, step, done in [*told, (131, first, 9)]:
            clock[0] = now_s
            LOGGER.debug("", extra={"step": step, "done": done, "total": 10, "unit": "images"})
    assert [
        "checking images: 9 of 10 images; 50 s gone",
        f"{first}: 1 of 10 images; 71 s gone",
        f"{first}: 9 of 10 images; 2 min gone, about 7 s left in all",
    ] == capfd.readouterr().err.splitlines()


@pytest.mark.parametrize(("done", "shown"), [(5, "-:--:--"), (50, "0:01:00")])
def test_on_a_terminal_the_time_left_waits_as_well(done, shown):
    """A step of which a twentieth is done, and one half way after a minute."""
    clock = iter((0.0, 30.0, 60.0, 60.0, 60.0))
    bars = display.Progress(get_time=lambda: next(clock, 60.0))
    step = bars.add_task("step", total=100)
    bars.update(step, completed=done / 2)
    bars.update(step, completed=done)
    assert shown == str(display._Left().render(bars.tasks[0]))


def test_a_copy_that_keeps_a_benchmarks_name_is_told_so(tmp_path):
    """Its runs would count as those of `smoke`, and go when those do."""
    copy = tmp_path / "mine.toml"
    copy.write_text((ROOT / "benchmarks" / "smoke.toml").read_text())
    places = ("--cache", tmp_path, "--reports", tmp_path)
    assert "has the name 'smoke' of benchmarks/smoke.toml" in gfr("list", copy, *places).stderr
    assert "" == gfr("list", "smoke", *places).stderr
    text = copy.read_text().replace('name = "smoke"', 'name = "mine"')
    copy.write_text(text.replace('name = "VGG16"', 'name = "mynet"\nfile = "none.keras"', 1))
    assert f"{tmp_path}/none.keras: no such file" in gfr("list", copy, *places).stderr


def test_commands_to_type_are_those_that_the_users_shell_finds(monkeypatch, tmp_path):
    """By its path where `gfr` is on no PATH, else by its name; with its place for reports."""
    from cli import places

    program = tmp_path / "bin" / "gfr"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(program), "run"])
    assert "bin/gfr serve r" == places.command("serve", "r", reports=ROOT / "reports")
    assert "bin/gfr serve r --reports mine" == places.command(
        "serve", "r", reports=tmp_path / "mine"
    )
    monkeypatch.setenv("PATH", str(program.parent))
    assert "gfr run 'a b.toml'" == places.command("run", "a b.toml")


def test_a_run_ends_with_a_narrow_table_what_it_took_and_the_same_benchmark_on_real_faces():
    """A note stands once below, its number in every row that it is about."""
    text = ending.text(records.run(), "own/mine.toml")
    table, *rest = text.split("\n\n(1) ")
    assert max(map(len, table.splitlines())) < 140
    assert 2 == sum(line.endswith("(1)") for line in table.splitlines())
    assert rest[0].startswith("random weights: not comparable\n")
    assert re.search(r"time: .*features \d+ s.*; begun \d+ min \d+ s ago", text)
    assert "run own/mine.toml --data DIR" in text


def test_help_starts_without_anything_heavy():
    """What takes long to import is imported by the command that needs it."""
    program = (
        "import contextlib, sys; sys.argv = ['gfr', '--help']; from cli.main import main\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "heavy = 'tensorflow keras prefect pandas matplotlib numpy scipy pydantic'.split()\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "[]" == done.stderr.strip()
    assert "doctor" in done.stdout
