"""Every command that writes, on a disk that fails at each of its steps in turn."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import failing_disk
import numpy as np
import pytest
import records

from cli import main
from gfr.data import loading
from gfr.data import records as data_records
from gfr.data.synthetic import generate
from gfr.engines.base import Predictions
from gfr.errors import CannotWrite
from gfr.export import golden_images, model_card, web
from gfr.models.feature_store import WHOLE
from gfr.pipeline import shared_storage
from gfr.regression import check
from gfr.report import writer
from gfr.storage import atomic, hashing, locks, serialization
from gfr.storage.paths import ROOT
from gfr.storage.run_directory import RunDirectory

VARIANTS = [(number, lasting) for number in failing_disk.ERRORS for lasting in (True, False)]
_REUSED = re.compile(rb'"num_(computed|reused)": \d+')


@pytest.fixture
def tmp_path():
    """In memory where the system has such a place: thousands of files come and go here."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as place:
        yield Path(place)


def files(root: Path) -> dict[str, bytes]:
    """All files below a directory but locks, which say who was there last."""
    return {
        str(path.relative_to(root)): read(path)
        for path in root.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def read(path: Path) -> bytes:
    """What a file holds, but for how it came: dates in .keras files, rows that were reused."""
    if path.parent.name == "features" or path.parents[1].name == "parts":
        return _REUSED.sub(b"", path.read_bytes())
    if path.suffix != ".keras":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read("model.weights.h5")


def restore(root: Path, wanted: dict[str, bytes]) -> None:
    """Make `root` hold these files alone, whatever failed there."""
    shutil.rmtree(root)
    root.mkdir()
    for name, content in sorted(wanted.items()):  # runs are listed by their age
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


@pytest.fixture
def gfr(monkeypatch, capsys):
    """A function that runs a command in this process: exit code, lines on standard error."""

    def run(*words: object) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["gfr", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main.main()
        return end.value.code, capsys.readouterr().err.splitlines()

    return run


def attack(root: Path, act: Callable[[], tuple[int, list[str]]]) -> int:
    """Fail `act` at each of its steps below `root`; returns how many there are.

    Each time it is refused in one line that names a file there, no temporary file is left, every
    file is as it was or as it will be, and the same act then succeeds.
    """
    before = files(root)
    with failing_disk.disk(root) as counted:
        assert (0, []) == act()
    after = files(root)
    assert not [name for name in after if "tmp-" in name]
    for first in range(1, len(counted.steps) + 1):
        number, lasting = VARIANTS[first % len(VARIANTS)]
        restore(root, before)
        with failing_disk.disk(root, first, number, lasting):
            code, lines = act()
        what = f"step {first}, {counted.steps[first - 1]}: {lines}"
        if not lasting and (0, []) == (code, lines):  # another way was found, as in shutil
            assert after == files(root), what
            continue
        assert (2, 1) == (code, len(lines)), what
        assert lines[0].startswith("gfr: ") and f"{root}" in lines[0], what
        assert os.strerror(number) in lines[0], what
        left = files(root)
        assert not [name for name in left if "tmp-" in name], what
        assert before.keys() <= left.keys() <= before.keys() | after.keys(), what
        for name, content in left.items():
            assert is_whole(name, content, before, after), f"{what}: {name}"
        assert (0, []) == act(), what
        assert after == files(root), what
    return len(counted.steps)


def is_whole(name: str, content: bytes, before: dict[str, bytes], after: dict[str, bytes]) -> bool:
    """As before or as it will be; a history is rebuilt run by run, each time whole."""
    known = [side[name] for side in (before, after) if name in side]
    if not name.endswith(".jsonl"):
        return content in known
    return set(content.splitlines()) <= set(b"".join(known).splitlines())


@pytest.fixture
def reports(tmp_path) -> Path:
    """Two finished runs, one of the benchmark `full`, judged and with an older report."""
    for run_id, minute in (("q", 1), ("r", 2)):
        run = records.run(tmp_path / "reports" / "runs" / run_id)
        record = replace(
            run.record,
            run_id=run_id,
            created_utc=f"2026-11-23T00:0{minute}:00.000+00:00",
            benchmark=replace(run.record.benchmark, name="full"),
        )
        trials = tuple(replace(row, run_id=run_id) for row in run.trials)
        run = replace(run, record=record, trials=trials)
        records.write(run)
        export = RunDirectory(run.directory).export(run.selection.trial_id).path
        serialization.write(export / "export.json", records.export(run))
        serialization.write(run.directory / "verdict.json", records.verdict(run))
    (tmp_path / "reports" / "summary.md").write_text("of an older run")
    return tmp_path / "reports"


@pytest.fixture
def drawn_once(monkeypatch):
    """What is computed from a run is computed once: here only how it is written matters."""

    for module, name in (
        (writer, "analyse"),
        (writer.contents, "of"),
        (writer, "standalone"),
        (writer.html, "document"),
        (writer.markdown, "document"),
        (writer.summary_json, "summary"),
        (writer.metric_columns, "frame"),
        (writer.store, "read_run"),
        (writer.records, "read_table"),
    ):
        monkeypatch.setattr(module, name, once(getattr(module, name)))


def once(function):
    """The function, called once for each set of the texts and paths among its arguments."""
    known = {}

    def call(*arguments):
        key = tuple(row for row in arguments if isinstance(row, str | Path))
        if key not in known:
            known[key] = function(*arguments)
        return known[key]

    return call


def test_report(reports, gfr, drawn_once):
    """Figures, tables, pages, facts; the page of the newest full run."""
    assert 60 < attack(reports, lambda: gfr("report", "r", "--reports", reports))


def test_verdict(reports, gfr):
    """Accepting a run, then building the histories anew."""
    accept = attack(reports, lambda: gfr("verdict", "r", "--accept", "--reports", reports))
    rebuild = attack(reports, lambda: gfr("verdict", "--rebuild", "--reports", reports))
    assert accept > 15 and rebuild > 25


@pytest.mark.parametrize("words", [["verdict", "q"], ["compare", "q", "r"], ["list"]])
def test_what_only_reads_needs_no_disk(reports, gfr, words):
    """Looking at runs works on a disk that takes nothing at all."""
    with failing_disk.disk(reports.parent, 1) as counted:
        where = ["--cache", reports.parent / "cache"] if words == ["list"] else []
        assert (0, []) == gfr(*words, "--reports", reports, *where)
    assert [] == counted.steps


class InThisProcess(ThreadPoolExecutor):
    """In the place of a pool of processes, which would write on a disk that does not fail."""

    def __init__(self, *_, **__):
        """One thread."""
        super().__init__(1)


def refusal_of(act: Callable[[], object]) -> tuple[int, list[str]]:
    """A call of the library as a command would end with it."""
    try:
        act()
    except CannotWrite as error:
        return 2, [f"gfr: {error}"]
    return 0, []


def test_what_an_export_is_described_by(tmp_path, monkeypatch):
    """Golden pictures and the model card."""
    run = records.run()
    face = generate.draw(1, 1)
    monkeypatch.setattr(generate, "draw", lambda *_: face)

    def write():
        golden_images.write(tmp_path, lambda pixels: Predictions(np.zeros(len(pixels))))
        model_card.write(tmp_path, run, run.result_of(None), records.export(run))

    assert 30 < attack(tmp_path, lambda: refusal_of(write))


def test_faces_and_a_cache_and_a_run_begun(tmp_path, monkeypatch):
    """Drawing faces, marking the cache, claiming the run, its first files."""
    monkeypatch.setattr(generate, "ProcessPoolExecutor", InThisProcess)
    face = generate.draw(1, 1)
    monkeypatch.setattr(generate, "draw", lambda *_: (face[0], dict(face[1])))
    monkeypatch.setattr(hashing, "source_sha256", lambda *_: "0" * 64)
    monkeypatch.setattr(shared_storage.secrets, "token_hex", lambda num_bytes: "0" * 2 * num_bytes)

    def begin():
        run_dir = tmp_path / "runs" / "r"
        with locks.claimed(run_dir):
            atomic.require_writable(tmp_path / "cache", "--cache")
            shared_storage.mark(tmp_path / "cache")
            loading.draw_synthetic(tmp_path / "cache", 8, 1)
            data_records.write_table(run_dir / "faces.csv", records.FACES, records.SPLITS)

    assert 50 < attack(tmp_path, lambda: refusal_of(begin))


def test_the_page_for_any_static_host(tmp_path, monkeypatch):
    """What is half there is taken away again: the next attempt wants an empty directory."""
    export, root = tmp_path / "r" / "exports" / "t", tmp_path / "there"
    for path in (export / "model_card.json", export / "tfjs" / "model.json"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("something")
    monkeypatch.setattr(web, "PAGE", export)
    root.mkdir()

    def write():
        shutil.rmtree(root / "site", ignore_errors=True)
        web.write(export, root / "site")

    assert 15 < attack(root, lambda: refusal_of(write))


def test_random_weights(tmp_path, monkeypatch):
    """Room is asked for before HDF5 writes, which would not survive its lack."""
    import keras

    from gfr.models import backbone, weights

    def small(*_):
        return keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])

    monkeypatch.setattr(backbone, "application", small)
    assert 6 < attack(
        tmp_path, lambda: refusal_of(lambda: weights.draw("VGG16", 1, tmp_path / "cache"))
    )


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A run whose faces are known, and stages that compute nothing worth waiting for."""
    from gfr.data import images as data_images
    from gfr.measurement import hardware, resources
    from gfr.models import feature_extraction, fused_model, head
    from gfr.models.weights import Weights
    from gfr.pipeline import latency, training

    run = records.run(tmp_path / "reports" / "runs" / "r")
    images = str(tmp_path / "images")
    record = replace(
        run.record, cache=str(tmp_path / "cache"), data=replace(run.record.data, image_dir=images)
    )
    serialization.write(run.directory / "run.json", record)
    data_records.write_table(run.directory / "faces.csv", records.FACES, records.SPLITS)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "000001.jpg").write_bytes(b"")
    model = head.build(4, 0)
    for module, name, stand_in in (
        (Weights, "check", lambda _: None),
        (feature_extraction.keras.utils, "clear_session", lambda: None),
        (feature_extraction.Job, "graph", lambda *_: None),
        # Digests stand in for pixels.
        (data_images, "batches", lambda paths, size: iter([records.FACES.pixels_sha256])),
        (data_images, "sha256", lambda pixels: pixels),
        (feature_extraction, "batch_size_of", lambda _: 260),
        (fused_model, "run_batch", lambda _, rows: np.ones((len(rows), 4), np.float32)),
        (resources, "metered", lambda call, *_: (call(), records.COST)),
        (hardware, "collect", lambda: records.HARDWARE),
        (training, "_train", lambda *_, **__: (run.trials[0], model)),
        (latency, "_time_model", lambda *_: run.latencies[run.trials[0].trial.feature_set.id]),
    ):
        monkeypatch.setattr(module, name, stand_in)
    return run.directory


def test_the_steps_of_a_run(begun):
    """Features, head, latency, selection, verdict, history."""
    from gfr.pipeline import features, latency, training

    run = records.run(begun)
    trial = run.trials[0].trial

    def go():
        features.extract(begun, trial.feature_set, WHOLE, "host/1")
        training.train(begun, trial, "host/1")
        latency.time_model(begun, trial.feature_set)
        serialization.write(begun / "selection.json", run.selection)
        check.finish(run, records.verdict(run), {})

    assert 60 < attack(begun.parents[2], lambda: refusal_of(go))


MAIN = [sys.executable, "-c", "from cli.main import main; main()"]


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ('"$@" > /dev/full', 2, r"gfr: standard output: cannot be written \(No space left .*\n"),
        ('PYTHONUNBUFFERED=1 "$@" > /dev/full', 2, "gfr: standard output: .*\n"),
        ('{ "$@"; echo $? >&2; } | true', 0, "141\n"),
        ('"$@" >&- 2>&-', 0, ""),
        ('"$@" --benchmark 2> /dev/full', 2, ""),
    ],
)
def test_output_that_nobody_takes(tmp_path, monkeypatch, command, code, said):
    """Full, gone or closed: a line at most, and the exit code that shells know."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    words = [*MAIN, "list", "--reports", tmp_path, "--cache", tmp_path]
    done = subprocess.run(
        ["sh", "-c", command, "sh", *words], capture_output=True, text=True, cwd=ROOT
    )
    assert code == done.returncode
    assert re.fullmatch(said, done.stderr), done.stderr


def test_a_log_that_nobody_takes_costs_no_run():
    """What is shown of a run goes to a full disk; the run goes on."""
    code = (
        "import logging; from cli import progress\n"
        "with progress.display(None): [logging.getLogger('gfr').info('x') for _ in range(9)]\n"
        "print('done')"
    )
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=-1, stderr=full, cwd=ROOT)
    assert (0, b"done\n") == (done.returncode, done.stdout)
