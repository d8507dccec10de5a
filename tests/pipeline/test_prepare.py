"""What a resumed run does with a label file that has changed."""

import logging
from dataclasses import replace

import pytest
import records as hand_made
from conftest import write_labels

from gfr.data import loading
from gfr.data import records as data_records
from gfr.pipeline import prepare
from gfr.report import facts
from gfr.results import records as results_records
from gfr.storage import serialization


@pytest.fixture
def begun(celeba, tmp_path):
    """A run of 40 images that was interrupted while it computed features: its directory."""
    root, smoke = celeba(40), hand_made.BENCHMARK
    forty = replace(smoke, data=replace(smoke.data, images=40))
    looked = loading.look(str(root), forty, tmp_path)
    run_dir = tmp_path / "run"
    (run_dir / "features").mkdir(parents=True)
    data_records.write_table(run_dir / "faces.csv", looked.faces, looked.splits)
    record = replace(hand_made.run().record, data=looked.data, split=looked.split)
    serialization.write(run_dir / "run.json", record)
    return run_dir


def resumed(run_dir):
    """The record of the run once it was resumed."""
    path = run_dir / "run.json"
    prepare._resume(run_dir, path)
    return serialization.read(path, results_records.RunRecord)


def test_labels_that_change_before_a_run_is_resumed_are_named(begun, celeba, caplog):
    """The recorded labels stay in use; one line says so in the log and in the report."""
    caplog.set_level(logging.INFO, "gfr")
    before = resumed(begun)
    assert "" == before.data.label_changes
    label_file = begun.parent / "celeba" / "list_attr_celeba.txt"
    # 2 women become men, 3 images have other glasses, and image 40 is gone.
    others = {2: (-1, 1, -1), 4: (-1, 1, -1), 5: (1, 1, -1), 7: (1, 1, -1), 8: (1, -1, -1)}
    rows = {
        f"{i:06}.jpg": others.get(i, (1 if i % 3 == 0 else -1, 1 if i % 2 else -1, -1))
        for i in range(1, 40)
    }
    text = label_file.read_text()
    write_labels(label_file, rows)
    after = resumed(begun)
    expected = (
        f"{label_file}: has changed since the run was started (changed labels: 2, changed "
        "attributes: 3, no longer listed: 1). The recorded labels stay in use"
    )
    assert expected == after.data.label_changes
    assert 1 == [line.getMessage() for line in caplog.records].count(expected)
    assert before == replace(after, data=replace(after.data, label_changes=""))
    caveats = [row.text for row in facts.caveats(replace(hand_made.run(), record=after))]
    assert expected in caveats
    label_file.write_text(text)
    assert before == resumed(begun)
    label_file.unlink()
    assert before == resumed(begun)
