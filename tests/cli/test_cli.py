"""The command line: output, exit codes, JSON."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import kept
import numpy as np
import pytest
import records
from PIL import Image

from cli import exit_codes, paths, prefect_session, run_summary
from cli.main import app
from gfr import environment, errors
from gfr.engines.base import Predictions
from gfr.errors import InputError
from gfr.export import web
from gfr.pipeline.run_options import RunOptions
from gfr.storage import serialization
from gfr.storage.paths import ROOT
from gfr.storage.run_directory import RunDirectory


def gfr(*words, cwd=ROOT):
    """Run a command and return its exit code and output."""
    return kept.gfr(cwd, *words)


WRONG = [
    (("run", "published"), "benchmark 'published': unknown; known: face-features, full"),
    (("run", "fulll"), "benchmark 'fulll': unknown; did you mean full? known: face-features, full"),
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
    """The line says what failed, why, and what to do, without a traceback."""
    places = ["--reports", tmp_path] if words[0] in ("run", "predict", "serve") else []
    caches = ["--cache", tmp_path] if words[0] == "run" or "check" in words else []
    done = gfr(*words, *places, *caches)
    assert 2 == done.returncode
    assert line in done.stderr
    assert "Traceback" not in done.stderr


def test_a_disk_error_is_one_line_and_a_defect_keeps_its_traceback(capsys):
    """The message says whether reading or writing failed only where that is known."""
    cure = "give gfr permission, or name another directory"
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

        assert 2 == exit_codes.call(fail)
        assert f"gfr: {line}\n" == capsys.readouterr().err
    for defect in (KeyError("a"), OSError("nothing is known of it"), ValueError()):

        def fail(error=defect):
            raise error

        with pytest.raises(type(defect)):
            exit_codes.call(fail)


def test_every_option_of_run_reaches_the_flow(monkeypatch, tmp_path):
    """The options become the flow's parameters, under its names and in its units."""
    parameters = []

    def run_flow(request, runner):
        parameters.append(dataclasses.asdict(request.options) | {"runner": runner})
        raise InputError("seen")

    monkeypatch.setattr(prefect_session, "run_flow", run_flow)
    words = "--data synthetic --weights random --run-id r --fresh --offline --timeout 7 "
    words += "--memory-limit 2 --retries 3 --max-latency-ms 40 --max-size-mb 90 --keep-runs 5 "
    words += f"--runner dask:2 --cache {tmp_path}/c --reports {tmp_path}/r"
    with pytest.raises(InputError, match="seen"):
        app(["run", "smoke", *words.split()])
    expected = {
        "benchmark": str(ROOT / "benchmarks" / "smoke.toml"),
        **{"data": "synthetic", "weights": "random", "run_id": "r", "fresh": True},
        **{"allow_download": False, "timeout_s": 7, "memory_limit_gb": 2, "retries": 3},
        **{"max_latency_ms": 40, "max_size_mb": 90, "keep_runs": 5, "runner": "dask:2"},
        **{"cache": f"{tmp_path}/c", "reports": f"{tmp_path}/r"},
    }
    assert [expected] == [{key: row[key] for key in row if key != "command"} for row in parameters]


def test_list_names_trials_and_feature_sets(tmp_path):
    """Text and JSON have the same facts, from any directory."""
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
    monkeypatch.setattr("gfr.engines.trial_model.classifier", lambda _: classify)
    monkeypatch.setattr(environment, "import_tensorflow", lambda: None)
    monkeypatch.setitem(sys.modules, "gfr.engines.keras_model", answer)
    monkeypatch.setattr("gfr.engines.keras_model", answer, raising=False)


def test_predict_names_its_model_and_what_is_far_from_celebas_proportions(
    no_model, tmp_path, capfd
):
    """The output shows which run answered, and warns about images that are not cropped faces."""
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
        "random weights (not comparable)",
        "trained on synthetic faces",
        "not shown to be better than one constant answer, right for 60.0% of the test images",
    ] == found[0]["note"].split("; ")
    with pytest.raises(InputError, match="is a directory; name the images in it"):
        app(["predict", str(tmp_path), "--reports", str(tmp_path)], standalone_mode=False)
    own = replace(written.record, data=replace(written.record.data, source="csv"))
    serialization.write(written.directory / "run.json", own)
    app(words, standalone_mode=False)
    assert "" == capfd.readouterr().err  # its own images may have any proportions


def test_doctor_finds_this_machine_fit():
    """The installed versions are those that pyproject.toml requires, and no check is bad."""
    done = gfr("doctor", "--json", "--data", "synthetic")
    checks = json.loads(done.stdout)
    assert 0 == done.returncode
    assert [] == [row for row in checks if row["status"] == "bad"]
    assert {"Python", "prefect", "tensorflow", "CPU", "GPU", "disk", "data"} <= {
        row["subject"] for row in checks
    }


def test_doctor_says_what_data_and_weights_a_run_would_use(monkeypatch, tmp_path):
    """How to get CelebA, and the weights that each of the benchmark's backbones would get."""
    from gfr.models import weights
    from gfr.pipeline import doctor
    from gfr.storage import paths as storage_paths

    spec = tmp_path / "three.toml"
    text = (ROOT / "benchmarks" / "tiny.toml").read_text()
    row = '[[backbone]]\nname = "VGG16"\n[[backbone]]\nname = "VGG16"\nlabel = "own"\n'
    row += 'weights = "random"\n[[backbone]]\nname = "mynet"\nfile = "mynet.keras"\n'
    spec.write_text(text.replace('[[backbone]]\nname = "MobileNet"\n', row))
    monkeypatch.setattr(storage_paths, "ROOT", tmp_path)
    monkeypatch.setattr(weights, "in_keras_cache", lambda _: None)
    checks = {
        row.subject: row.finding
        for row in doctor.examine(RunOptions(str(spec), allow_download=False))
    }
    assert "Download CelebA: gfr data fetch" in checks["data"]
    assert {"VGG16", "own", "mynet"} == {
        name.removeprefix("weights ") for name in checks if name.startswith("weights ")
    }
    assert checks["weights VGG16"].endswith("missing: random weights, since offline")
    assert checks["weights own"] == "random, as requested"
    assert f"{tmp_path}/mynet.keras: no such file" in checks["weights mynet"]
    required = doctor.examine(RunOptions(str(spec), weights="imagenet", allow_download=False))
    assert [("bad", True)] == [
        (row.status, "unavailable offline. Name a directory" in row.finding)
        for row in required
        if row.subject == "weights VGG16"
    ]


def test_doctor_lists_unfinished_runs_with_the_commands_that_resume_them(tmp_path, monkeypatch):
    """Runs killed at the start or in the export are listed, a complete one is not."""
    from gfr.models import weights
    from gfr.pipeline import doctor

    for name in ("began", "exporting", "r"):
        written = records.run(tmp_path / "runs" / name)
        records.write(written)
        for path in written.directory.glob("trials/*" if name == "began" else "none"):
            path.unlink()
    export = RunDirectory(written.directory).export(written.selection.trial_id).path
    serialization.write(export / "export.json", records.export(written))
    monkeypatch.setattr(weights, "in_keras_cache", lambda _: None)
    options = RunOptions("tiny", "synthetic", "random", reports=str(tmp_path))
    checks = doctor.examine(options)
    found = [row.finding for row in checks if row.subject == "run"]
    where = f"--reports {tmp_path} --cache cache"
    again = f"Resume with: gfr run smoke --run-id r {where}"
    assert [
        f"began: 4 of 4 trials unfinished. {again}",
        f"exporting: the selected model is not exported. {again}",
    ] == found
    listed = gfr("list", "smoke", "--reports", tmp_path, "--cache", tmp_path).stdout.splitlines()
    assert listed[-2].endswith("selected VGG16-iteration-2, the selected model is not exported")
    assert listed[-1].endswith("4 trials  selected VGG16-iteration-2")


def test_data_check_says_what_was_found(celeba, tmp_path):
    """A benchmark file in the current directory decides which images are counted."""
    spec = tmp_path / "forty.toml"
    text = (ROOT / "benchmarks" / "smoke.toml").read_text()
    spec.write_text(text.replace("images = 200", "images = 40"))
    done = gfr("data", "check", celeba(40), "--benchmark", spec.name, cwd=tmp_path)
    assert 0 == done.returncode
    assert "CelebA, 40 images (20 male, 20 female)" in done.stdout
    assert "none missing or damaged" in done.stdout
    assert "too few" not in done.stdout


def test_data_check_looks_at_all_images_where_no_benchmark_was_named(celeba):
    """Too few images for `full` are a remark, and an error if `full` is named."""
    folder = celeba(40)
    done = gfr("data", "check", folder)
    assert 0 == done.returncode
    assert "CelebA, 40 images (20 male, 20 female)" in done.stdout
    few = f"{folder}/list_attr_celeba.txt: lists 40 images, 5,000 are needed."
    assert f"too few for benchmark full: {few}" in done.stdout
    named = gfr("data", "check", folder, "--benchmark", "full")
    assert (2, True) == (named.returncode, f"gfr: {few}" in named.stderr)


def test_serve_says_which_model_it_shows(tmp_path, monkeypatch, capfd):
    """It prints the run, the benchmark and the limits of the model, then the address."""
    written = records.run(tmp_path / "runs" / "r")
    records.write(written)
    export = RunDirectory(written.directory).export(written.selection.trial_id).path
    serialization.write(export / "export.json", records.export(written))
    monkeypatch.setattr(web.PageServer, "run", lambda _: None)
    app(["serve", "r", "--port", "0", "--reports", str(tmp_path)], standalone_mode=False)
    model, address = capfd.readouterr().out.splitlines()
    assert model.startswith("model: VGG16 / iteration 2, run r of benchmark smoke (trained on syn")
    assert address.startswith("http://127.0.0.1:")


def test_a_copy_with_the_name_of_another_benchmark_is_warned_about(tmp_path):
    """Its runs would count as runs of `smoke` and be removed with them."""
    copy = tmp_path / "mine.toml"
    copy.write_text((ROOT / "benchmarks" / "smoke.toml").read_text())
    places = ("--cache", tmp_path, "--reports", tmp_path)
    assert "has the name 'smoke' of benchmarks/smoke.toml" in gfr("list", copy, *places).stderr
    assert "" == gfr("list", "smoke", *places).stderr
    text = copy.read_text().replace('name = "smoke"', 'name = "mine"')
    copy.write_text(text.replace('name = "VGG16"', 'name = "mynet"\nfile = "none.keras"', 1))
    assert f"{tmp_path}/none.keras: no such file" in gfr("list", copy, *places).stderr


def test_printed_commands_work_in_the_users_shell(monkeypatch, tmp_path):
    """`gfr` has its path if it is not in PATH, and directories other than the default are named."""
    program = tmp_path / "bin" / "gfr"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(program), "run"])
    assert "bin/gfr serve r" == paths.command("serve", "r", reports=ROOT / "reports")
    assert "bin/gfr serve r --reports mine" == paths.command(
        "serve", "r", reports=tmp_path / "mine"
    )
    monkeypatch.setenv("PATH", str(program.parent))
    assert "gfr run 'a b.toml'" == paths.command("run", "a b.toml")


def test_a_run_ends_with_a_narrow_table_the_time_taken_and_the_next_step():
    """A note is printed once below the table, with its number in each row that it concerns."""
    text = run_summary.text(records.run(), "own/mine.toml")
    table, *rest = text.split("\n\n(1) ")
    assert max(map(len, table.splitlines())) < 140
    assert 2 == sum(line.endswith("(1)") for line in table.splitlines())
    assert rest[0].startswith("random weights (not comparable)\n")
    assert re.search(r"time: .*features \d+ s.*; started \d+ min \d+ s ago", text)
    assert "run own/mine.toml --data DIR" in text


def test_only_a_report_that_exists_is_named(tmp_path):
    """After a failed rendering the command that tries again; a page older than its run is none."""
    run = records.run(tmp_path / "reports" / "runs" / "r")
    records.write(run)
    remedy = f"report: not rendered; try gfr report r --reports {tmp_path}/reports"
    assert remedy in run_summary.text(run, "smoke")
    assert "" == run_summary.json_text(run)
    files = RunDirectory(run.directory)
    files.summary_md.touch()
    files.summary_json.write_text("{}")
    assert f"report: {files.summary_md}\n" in run_summary.text(run, "smoke")
    assert "{}" == run_summary.json_text(run)
    os.utime(files.summary_md, (0, 0))
    assert remedy in run_summary.text(run, "smoke")


def test_help_starts_without_anything_heavy():
    """Slow imports happen in the command that needs them."""
    program = (
        "import contextlib, sys; sys.argv = ['gfr', '--help']; from cli.main import main\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "heavy = 'tensorflow keras prefect pandas matplotlib numpy scipy pydantic'.split()\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "[]" == done.stderr.strip()
    assert "doctor" in done.stdout
