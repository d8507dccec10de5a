"""`gfr split`: the images of a run for other systems."""

import json

import kept
import pandas as pd
import pytest
import records

from cli.main import app
from gfr.data import predictions
from gfr.errors import InputError
from gfr.results import split_list
from gfr.storage.paths import ROOT


@pytest.fixture
def run(tmp_path):
    """The directory of a finished run."""
    written = records.run(tmp_path / "runs" / "r")
    records.write(written)
    return written.directory


def test_each_image_has_its_split_and_its_path_but_no_label(run, tmp_path):
    """Whoever classifies the test images does not see their labels."""
    done = kept.gfr(tmp_path, "split", "r", "--to", "s.csv", "--reports", tmp_path)
    assert 0 == done.returncode, done.stderr
    table = pd.read_csv(tmp_path / "s.csv")
    assert ["image", "split", "path"] == list(table.columns)
    assert records.NAMES == table["image"].tolist()
    assert records.SPLITS.tolist() == table["split"].tolist()
    assert "cache/images/000000.jpg" == table["path"][0]
    assert done.stdout.startswith("s.csv: images of run r: 120 train, 40 validation, 100 test\n")


def test_json_has_the_same_facts(run, tmp_path, capsys):
    """And the absolute path of the file."""
    target = tmp_path / "s.csv"
    app(
        ["split", "r", "--to", str(target), "--reports", str(tmp_path), "--json"],
        standalone_mode=False,
    )
    assert {
        "run_id": "r",
        "file": str(target),
        "num_images": {"train": 120, "validation": 40, "test": 100},
    } == json.loads(capsys.readouterr().out)


def test_a_column_beside_the_splits_is_the_answers_of_a_system(run, tmp_path):
    """The file that was written needs one more column, no other names."""
    split_list.write(run, tmp_path / "s.csv", overwrite=False)
    table = pd.read_csv(tmp_path / "s.csv").assign(p_male=0.5)
    table[table["split"] == "test"].to_csv(tmp_path / "p.csv", index=False)
    names = records.NAMES[-100:]  # of the test images
    found = predictions.of_images(tmp_path / "p.csv", names)
    assert (dict.fromkeys(names, 0.5), 0) == (found.p_male, found.num_other)


def test_an_older_file_is_replaced_only_if_asked(run, tmp_path):
    """A directory or a device never is."""
    target = tmp_path / "s.csv"
    target.write_text("mine")
    words = ("split", "r", "--to", target, "--reports", tmp_path)
    done = kept.gfr(ROOT, *words)
    assert (2, "mine") == (done.returncode, target.read_text())
    assert (
        f"gfr: {target}: exists. Name another file, or replace it with --overwrite\n" == done.stderr
    )
    assert 0 == kept.gfr(ROOT, *words, "--overwrite").returncode
    assert target.read_text().startswith("image,split,path\n")
    for place in (run, "/dev/null"):
        with pytest.raises(InputError, match="not a regular file"):
            split_list.write(run, type(run)(place), overwrite=True)


def test_a_damaged_run_is_named(run, tmp_path):
    """Nothing is written."""
    (run / "faces.csv").write_text("name,split\n")
    with pytest.raises(InputError, match=r"faces\.csv: damaged"):
        split_list.write(run, tmp_path / "s.csv", overwrite=False)
    assert not (tmp_path / "s.csv").exists()
