"""results.csv and results.parquet: a row for every head, and what its columns are."""

import re
from dataclasses import replace

import pandas as pd
from html_page import full_run
from records import FACES, SPLITS

from gfr.report import metric_columns
from gfr.report.analysis import analyse
from gfr.results import records
from gfr.storage.paths import ROOT


def test_the_table_has_a_row_for_every_head(tmp_path):
    """Own seed and refits, then failed trials with their reason; every column is documented."""
    run = full_run(tmp_path)
    failed = records.Failure(3, run.trials[3].trial, "killed for memory")
    run = replace(run, trials=run.trials[:3], failures=(failed,))
    table = metric_columns.frame(run, analyse(run, FACES, SPLITS))
    assert 3 * 6 + 1 == len(table)
    first = table.iloc[0]
    assert ("VGG16-iteration-1", "nothing", 0.9, 50.0) == (
        *first[["trial", "changed", "test_accuracy", "p50_ms"]],
    )
    assert ["seed", "seed", "split", "rule", "fraction"] == list(table["changed"][1:6])
    assert (60, 0.5) == tuple(table.iloc[5][["train_images", "fraction"]])
    last = table.iloc[-1]
    assert ("failed", "killed for memory") == tuple(last[["status", "reason"]])
    assert pd.isna(last["test_accuracy"])
    document = (ROOT / "docs" / "results-table.md").read_text("utf-8")
    named = re.findall(r"^\| `([^|]+)` \|", document, re.MULTILINE)
    assert list(table) == [name for row in named for name in row.split("`, `")]
