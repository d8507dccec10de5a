"""`gfr export --format` of a real run, and the program of each model card."""

import json
import subprocess
import sys

import installed_engines
import kept
import pytest
from test_flow import SPEC

from cli.main import app
from gfr.errors import InputError
from gfr.pipeline import request as pipeline_request
from gfr.pipeline.run import run
from gfr.pipeline.run_options import RunOptions
from gfr.results import store
from gfr.storage.run_directory import RunDirectory

MOBILENET = (
    SPEC[: SPEC.index("[[backbone]]")].replace("seeds = 2", "seeds = 1").replace("0.5]", "]")
    + '[[backbone]]\nname = "MobileNet"\n[[iteration]]\nnumber = 1\nsize = [32, 32]\nepochs = 2\n'
)
TRIAL = "MobileNet-iteration-1"
TOLERANCE = {"litert": 1e-4, "litert-dynamic": 1e-2}


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["--format", "litrt"], "format 'litrt': unknown; did you mean litert"),
        (["--format", "litert", "--site", "site"], "--site: only for --format tfjs; add it, or"),
        (["--format", "litert", "--precision", "uint8"], "--precision: only for --format tfjs"),
    ],
)
def test_an_unknown_format_or_an_option_of_another_is_refused(words, refusal):
    """Before any run is read."""
    with pytest.raises(InputError, match=refusal):
        app(["export", "r", *words])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small run, exported to two formats and an unavailable one; and what the command printed."""
    for name in TOLERANCE:
        installed_engines.engine(name.partition("-")[0])
    folder = tmp_path_factory.mktemp("formats")
    (folder / "ten.toml").write_text(MOBILENET)
    places = {"reports": str(folder / "reports"), "cache": str(folder / "cache")}
    options = RunOptions(str(folder / "ten.toml"), "synthetic", "random", "r", **places)
    run_dir = run(pipeline_request.request(options), isolated=False)
    words = [word for name in TOLERANCE for word in ("--format", name)]
    return run_dir, kept.gfr(folder, "export", "r", *words, "--reports", "reports")


@pytest.mark.slow
def test_formats_are_written_validated_and_measured(exported):
    """Their directories are printed; the record has accuracy, cold start and latency."""
    run_dir, done = exported
    assert 0 == done.returncode, done.stderr
    files = RunDirectory(run_dir)
    places = [files.format(TRIAL, name).path for name in TOLERANCE]
    assert [str(place) for place in places] == done.stdout.splitlines()
    found = store.read_run(run_dir)
    float32, int8 = (found.formats[name] for name in TOLERANCE)
    assert (12, 12) == (float32.test.num_images, float32.validation.num_images)
    assert float32.test.max_difference < 1e-3 and float32.is_eligible
    assert int8.num_bytes < 0.5 * float32.num_bytes
    assert all(row.cold_start_s > 0 for row in (*float32.processes, *int8.processes))
    timed = {(row.engine, row.precision) for row in found.format_latency.rows}
    assert {(name, "float32") for name in ("tensorflow", "litert")} <= timed
    assert ("litert", "dynamic int8") in timed and () == found.format_latency.unavailable


@pytest.mark.slow
@pytest.mark.parametrize("name", TOLERANCE)
def test_the_program_of_the_card_prints_the_golden_probabilities(exported, name):
    """As its readers run it: five lines, in the directory, without gfr and TensorFlow."""
    files = RunDirectory(exported[0]).format(TRIAL, name)
    program = json.loads(files.model_card_json.read_text())["format"]["code"]
    assert 5 == len(program.splitlines()) and program in files.model_card_md.read_text()
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=files.path, capture_output=True, text=True, check=True)
    printed = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    golden = json.loads(files.golden.read_text())["images"]
    expected = {row["file"]: row["p_male"] for row in golden}
    assert expected == pytest.approx(
        {file: float(p) for file, p in printed.items()}, abs=TOLERANCE[name]
    )
