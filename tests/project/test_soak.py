"""The trends that `make soak` reports, and how it resumes after a kill."""

import sys

import numpy as np
import pandas as pd
import pytest

from gfr.storage.paths import ROOT

sys.path.append(str(ROOT))
from benchmarks.validation import soak


def noise(num, seed):
    """Values that resemble their neighbours, as a server's memory does; no trend."""
    generator, found = np.random.default_rng(seed), [0.0]
    for _ in range(num - 1):
        found.append(0.5 * found[-1] + generator.normal())
    return np.array(found)


def test_a_leak_is_found_with_its_slope():
    """A tenth of the noise a run, over 60 runs."""
    found = soak.trend(100 + 0.1 * np.arange(60) + noise(60, 1))
    assert "grows" == found["trend"]
    assert found["low"] <= 0.1 <= found["high"], found


def test_no_growth_is_not_called_growth():
    """With one outlier and a load that comes and goes; a constant does not grow either."""
    words = []
    for seed in range(5):
        values = 100 + noise(60, seed)
        values[30] += 50
        words.append(soak.trend(values)["trend"])
    assert words.count("no significant growth") >= 4, words
    assert "no significant growth" == soak.trend([3.0] * 20)["trend"]


class Fake:
    """Runs that take no time; run number `dies_at` ends the soak test as a kill would."""

    def __init__(self, folder, dies_at=None, code=0):
        """Nothing is started."""
        self.folder, self.dies_at, self.code, self.begun = folder, dies_at, code, []
        self.server = self

    def run(self, run_id):
        """Leave a directory, as a run does."""
        self.begun.append(run_id)
        (self.folder / "reports" / "runs" / run_id).mkdir(parents=True, exist_ok=True)
        if self.dies_at and run_id == f"soak-{self.dies_at:05}":
            raise KeyboardInterrupt
        return self.code

    def measure(self):
        """Nothing grows."""
        return dict.fromkeys(set(soak.FIGURES) - {"wall_s"}, 1000) | {"left_processes": 0}

    def stop(self):
        """Nothing to end."""


def test_it_goes_on_with_the_run_it_was_killed_in(tmp_path):
    """On another server, and no run is done twice or left out."""
    first, second = Fake(tmp_path, dies_at=6), Fake(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        soak.soak(tmp_path, 12, lambda _: first)
    rows = soak.soak(tmp_path, 12, lambda _: second)
    assert "soak-00006" == second.begun[0]
    assert (
        list(range(1, 13))
        == [row["run"] for row in rows]
        == [row["run"] for row in soak.read(tmp_path / "soak.jsonl")]
    )
    assert [1] * 5 + [2] * 7 == [row["server"] for row in rows]
    assert [6] == [row["run"] for row in rows if row["is_resumed"]]
    table = pd.DataFrame(rows)
    assert (10, 6) == (len(soak.series(table, "wall_s")), len(soak.series(table, "server_files")))
    again = Fake(tmp_path)
    assert rows == soak.soak(tmp_path, 12, lambda _: again)
    assert [] == again.begun
    assert "12 runs on 2 servers; runs by exit code: {0: 12}; processes left over: 0" in soak.table(
        table
    )


def test_a_failed_run_is_told_by_the_exit_code(tmp_path, capsys):
    """With `--show` as well; a regression is a complete run."""
    for code, expected in ((0, 0), (3, 0), (1, 1)):
        folder = tmp_path / str(code)
        soak.soak(folder, 2, lambda place, code=code: Fake(place, code=code))
        assert expected == soak.main(show=True, dir=folder)
        assert f"runs by exit code: {{{code}: 2}}" in capsys.readouterr().out
