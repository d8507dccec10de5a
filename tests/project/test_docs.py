"""The documents say what is so: their commands run, the tests they name exist."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import documents
import pytest
import records
import yaml
from processes import answers, free_port, wait_for

from gfr.results import store
from gfr.storage import run_directory, serialization
from gfr.storage.paths import ROOT
from gfr.storage.run_directory import RunDirectory

# Files that a sentence names.
_NAMED = r"`((?:docs|benchmarks|tests|gfr|tasks|flows|cli)/[\w/-]+\.\w+)`"
QUIETLY = {
    **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL},
    "start_new_session": True,
}


def test_every_error_message_has_its_test():
    """docs/error-messages.md names tests by file and function."""
    text = (ROOT / "docs" / "error-messages.md").read_text()
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", text)
    assert len(named) > 30
    for file, name in named:
        (path,) = (ROOT / "tests").rglob(file)
        assert f"def {name}(" in path.read_text(), f"{file}::{name}"


def test_links_lead_somewhere():
    """From one document to another, to a picture, to a file that a sentence names."""
    broken = []
    for path in documents.paths():
        text = path.read_text()
        links = [path.parent / name for name in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text)]
        named = [ROOT / name for name in re.findall(_NAMED, text)]
        broken += [
            f"{path.name}: {place.relative_to(ROOT)}"
            for place in links + named
            if not place.exists()
        ]
    assert [] == broken


def test_the_index_lists_every_page():
    """docs/README.md, and the README leads to it."""
    text = (ROOT / "docs" / "README.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= set(re.findall(r"\]\((?:\w+/)?([\w-]+\.md)\)", text))
    assert "(docs/README.md)" in (ROOT / "README.md").read_text()


def test_the_citation_is_of_this_version_by_its_owners():
    """CITATION.cff, pyproject.toml and LICENSE tell the same."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == cited["version"]
    assert cited["authors"][0]["name"] in (ROOT / "LICENSE").read_text()
    assert project["license"] == cited["license"]
    assert {"1.2.0", "software"} == {cited["cff-version"], cited["type"]}


def commands(document, heading=""):
    """The command lines in indented blocks of a document or one section; no comments, no TOML."""
    text = (ROOT / document).read_text()
    if heading:
        text = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^    (\S.*)$", text, re.MULTILINE)
    return [
        line.split("  #")[0].strip()
        for line in lines
        if not re.match(r"\[\[|\w+ = ", line)  # a row of a benchmark file
    ]


@pytest.fixture
def clone(tmp_path):
    """The project as a newcomer has it, but with a small `full` and one module of tests."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    folder = tmp_path / "gfr"
    for name in done.stdout.splitlines():
        is_test = name.startswith("tests/") and "/test_" in name
        if (ROOT / name).is_file() and not is_test:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    one = Path("tests") / "evaluation" / "test_roc.py"
    (folder / one).parent.mkdir()
    shutil.copy2(ROOT / one, folder / one)
    small = (folder / "benchmarks" / "tiny.toml").read_text()
    small = small.replace('"tiny"', '"full"').replace("images = 64", "images = 40")
    (folder / "benchmarks" / "full.toml").write_text(small)
    deployments = (folder / "prefect.yaml").read_text()
    offline = deployments.replace("weights: auto", "weights: auto\n      allow_download: false")
    (folder / "prefect.yaml").write_text(offline)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (folder / ".venv" / ".ready").touch()
    return folder


def export_of(clone, model):
    """`model` as that of the newest run; tests/export/test_export.py has one that a run exports."""
    run = store.read_run(run_directory.find(clone / "reports", None))
    place = RunDirectory(run.directory).export(run.selection.trial_id).path
    shutil.copytree(model, place)
    serialization.write(place / "export.json", records.export(run))


def serves_a_model(port):
    """Whether `gfr serve` is up, with an export."""
    try:
        url = f"http://127.0.0.1:{port}/model/model_card.json"
        return urllib.request.urlopen(url, timeout=2).status == 200
    except (urllib.error.URLError, TimeoutError) as error:  # its port is open before it answers
        assert not isinstance(error, urllib.error.HTTPError), "no model"
        return False


@pytest.mark.slow
def test_the_commands_of_a_first_day_run(clone, celeba, web_model):
    """Of the README, the first run and operations, in order, in a clone with DIR and photo.jpg."""
    data = celeba(40)
    shutil.copy2(data / "images" / "000001.jpg", clone / "photo.jpg")
    assert ["make run", "make test"] == commands("README.md")
    found = [
        *commands("README.md"),
        *commands("docs/first-run.md", "CelebA"),
        *commands("docs/first-run.md", "Predictions and the web page"),
        *commands("docs/operations.md", "Quick start"),
    ]
    assert 11 == len(found), found
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    environment = os.environ | {
        **{"PYTHONPATH": str(clone), "GFR_OFFLINE": "1", "PREFECT_HOME": str(clone / "prefect")},
        **{"PREFECT_SERVER_API_PORT": str(port), "PREFECT_API_URL": api},
    }
    found.remove("export PREFECT_API_URL=http://127.0.0.1:4200/api")  # the port is another here
    before = {name: value for name, value in environment.items() if name != "PREFECT_API_URL"}
    served = found.index("make server")
    going_on = []
    try:
        for number, command in enumerate(found):
            words = [str(data) if word == "DIR" else word for word in shlex.split(command)]
            known = environment if number >= served else before
            if command.endswith("gfr serve"):
                export_of(clone, web_model)
                shown = free_port()
                words += ["--port", str(shown)]
                going_on.append(subprocess.Popen(words, cwd=clone, env=known, **QUIETLY))
                wait_for(lambda shown=shown: serves_a_model(shown))
                continue
            if command in ("make server", "make worker"):
                going_on.append(subprocess.Popen(words, cwd=clone, env=known, **QUIETLY))
                wait_for(lambda: answers(api))
                continue
            done = subprocess.run(words, cwd=clone, env=known, capture_output=True, text=True)
            assert 0 == done.returncode, f"{command}\n{done.stdout}{done.stderr}"
    finally:
        for process in reversed(going_on):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert (clone / "reports" / "summary.md").exists()
    left = [path.name for path in (clone / "reports" / "runs").iterdir()]
    assert 3 == len(left), left  # synthetic, CelebA, and Prefect's
