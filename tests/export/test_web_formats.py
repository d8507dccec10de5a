"""Which LiteRT file `gfr serve` and the site offer to the page; no model, no browser."""

import hashlib
import json
from dataclasses import replace

import format_records
import pytest
from test_export_records import get as asking
from test_export_records import run as exported_run

from gfr.export import web
from gfr.results.deployment_records import FormatResult
from gfr.storage import atomic, serialization
from gfr.storage.run_directory import RunDirectory

run, get = exported_run, asking

SMALL, LARGE = b"TFL3 float16", b"TFL3 float32, larger"


@pytest.fixture
def export(run):
    """The export, with a LiteRT file in float16 and a larger one in float32."""
    write(run, "litert", LARGE)
    write(run, "litert-float16", SMALL)
    write(run, "litert-int8", b"1")
    return web.exported(run, None)


def write(run, name, content, **changed):
    """Write a format of the exported trial; `changed` is what its record says otherwise."""
    files = RunDirectory(run.directory).format(run.export.trial.id, name)
    result = replace(
        format_records.format_result(run, name),
        model_digest=run.export.model_digest,
        validation=replace(format_records.agreement(40, 36), max_difference=0.001),
    )
    serialization.write(files.record, replace(result, **changed))
    atomic.write_text(files.path / "model.tflite", content.decode())


def offered(export):
    """The precision of the file that the page may load."""
    litert = web.litert_model(export)
    return litert and litert.precision


def test_the_smallest_faithful_litert_file_is_offered(run, export):
    """Not one whose answers differ on the validation images, nor one of another model."""
    assert "float16" == offered(export)
    far = replace(format_records.agreement(40, 36), max_difference=0.02)
    write(run, "litert-float16", SMALL, validation=far)
    assert "float32" == offered(export)
    worse = replace(format_records.agreement(40, 36, lost=9), max_difference=0.001)
    for changed in ({"validation": worse}, {"validation": None}, {"model_digest": "other"}):
        write(run, "litert", LARGE, **changed)
        assert offered(export) is None, changed


def test_a_format_that_was_not_written_is_not_offered(run, export):
    """Its record says why, or its file is gone, or is a link to somewhere else."""
    for name in ("litert", "litert-float16"):
        files = RunDirectory(run.directory).format(run.export.trial.id, name)
        model = files.path / "model.tflite"
        model.unlink()
        model.symlink_to(run.directory / "run.json")
    assert offered(export) is None
    reason = format_records.format_result(run, "litert", reason="not converted")
    serialization.write(files.record, reason)
    assert "not converted" == serialization.read(files.record, FormatResult).reason
    assert offered(export) is None


def test_the_card_that_is_served_tells_of_the_file(export, get):
    """Path, size and digest beside all that the export's own card says."""
    status, body, headers = get("/model/model_card.json")
    card, own = json.loads(body), json.loads((export / "model_card.json").read_text())
    assert (200, "application/json") == (status, headers["Content-Type"])
    assert own == {name: value for name, value in card.items() if name != "litert"}
    assert card["litert"] == {
        "file": "litert/model.tflite",
        "precision": "float16",
        "num_bytes": len(SMALL),
        "digest": hashlib.sha256(SMALL).hexdigest(),
        "tolerance": 0.01,
    }
    assert (200, SMALL) == get("/model/litert/model.tflite")[:2]


def test_the_site_has_the_file_and_tells_of_it(export, tmp_path):
    """A static host needs no more than these files."""
    web.write(export, tmp_path / "site")
    model = tmp_path / "site" / "model"
    facts = json.loads((model / "model_card.json").read_text())["litert"]
    assert SMALL == (model / facts["file"]).read_bytes()
    assert "litert" not in json.loads((export / "model_card.json").read_text())


def test_without_formats_the_card_is_the_exports_own(run, get):
    """Nothing of LiteRT is served or written."""
    own = web.exported(run, None) / "model_card.json"
    assert own.read_bytes() == get("/model/model_card.json")[1]
    assert 404 == get("/model/litert/model.tflite")[0]
