"""docs/compare-models.md: every block in order, as a reader would type it."""

import re
import shutil

import kept
import pytest

from gfr.results import store
from gfr.storage.paths import ROOT

PAGE = (ROOT / "docs" / "compare-models.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_page_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys, server_at_hand):
    """Commands, rows of the benchmark and Python; the report has both references."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GFR_REPORTS", str(tmp_path / "reports"))
    monkeypatch.setenv("GFR_CACHE", str(tmp_path / "cache"))
    (tmp_path / "benchmarks").mkdir()
    shutil.copy2(ROOT / "benchmarks" / "tiny.toml", tmp_path / "benchmarks")
    for kind, text in BLOCKS:
        if kind == "toml":
            with (tmp_path / "mine.toml").open("a") as file:
                file.write(f"\n{text}")
        elif kind == "python":
            exec(compile(text, "docs/compare-models.md", "exec"), {})
        else:
            for line in text.splitlines():
                enter(tmp_path, line.split())
    run = store.read_run(tmp_path / "reports" / "runs" / "second")
    assert {"bright", "net"} == set(run.references)
    assert [] == [row.label for row in run.references.values() if row.reason]
    assert {"MobileNet", "net_features"} == {row.trial.backbone.label for row in run.trials}
    report = (run.directory / "summary.md").read_text()
    assert "bright" in report and "none-bgr" in report
    assert "bright.csv" in (tmp_path / "mine.toml").read_text()
    assert "%" in capsys.readouterr().out  # of gfr.evaluate


def enter(folder, words):
    """A command of the shell in `folder`; gfr's runs find its reports and cache there."""
    if words[0] == "cp":
        shutil.copy2(folder / words[1], folder / words[2])
        return
    places = ["--reports", "reports", "--cache", "cache"] if words[1] == "run" else []
    places = places or ["--reports", "reports"]
    done = kept.gfr(folder, *words[1:], *places)
    assert 0 == done.returncode, f"{words}: {done.stderr}"
