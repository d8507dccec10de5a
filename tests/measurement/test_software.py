"""Which commit and packages a run records."""

import os
import subprocess

import pytest

from gfr.measurement import software

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
IDENTITY = ("-c", "user.name=n", "-c", "user.email=e@localhost", "-c", "commit.gpgsign=false")


def git(folder, *words):
    """What a Git command prints."""
    words = ["git", "-C", str(folder), *IDENTITY, *words]
    return subprocess.run(words, env=CLEAN, check=True, capture_output=True, text=True).stdout


def commit(folder):
    """A new repository with one file of gfr; returns its commit."""
    (folder / "gfr").mkdir(parents=True)
    (folder / "gfr" / "a.py").write_text(folder.name)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", folder.name)
    return git(folder, "rev-parse", "HEAD").strip()


@pytest.fixture
def clones(tmp_path):
    """A clone of gfr and another repository, with their commits."""
    return {name: commit(tmp_path / name) for name in ("own", "other")}


@pytest.mark.parametrize(
    "exported",
    [
        {"GIT_DIR": "other/.git"},
        {"GIT_DIR": "other/.git", "GIT_WORK_TREE": "other"},
        {"GIT_INDEX_FILE": "other/.git/index"},
        {"GIT_COMMON_DIR": "other/.git"},
        {"GIT_OBJECT_DIRECTORY": "other/.git/objects"},
        {"GIT_DIR": "nowhere"},
    ],
    ids=" ".join,
)
def test_the_commit_is_that_of_the_clone_whatever_the_shell_exports(
    clones, exported, tmp_path, monkeypatch
):
    """As a Git hook, or `git rebase --exec`, exports them; the clone has no change of its own."""
    for name, place in exported.items():
        monkeypatch.setenv(name, str(tmp_path / place))
    found = software.collect(tmp_path / "own")
    assert (clones["own"], False) == (found.git_commit, found.git_dirty)


def test_git_learns_which_directories_the_environment_calls_safe(tmp_path, monkeypatch):
    """As containers set it, in which another user owns the clone; other variables are dropped."""
    for name, value in {"COUNT": "1", "KEY_0": "safe.directory", "VALUE_0": "*"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    kept = software.git_environment(tmp_path / "own")
    assert "*" == kept["GIT_CONFIG_VALUE_0"] and "GIT_TEST_ASSUME_DIFFERENT_OWNER" not in kept


def test_a_repository_around_the_clone_is_not_taken_for_it(tmp_path):
    """An unpacked archive has no commit, even inside the user's own repository."""
    commit(tmp_path / "outer")
    (tmp_path / "outer" / "gfr" / "clone").mkdir()
    assert "unknown" == software.collect(tmp_path / "outer" / "gfr" / "clone").git_commit


def test_a_new_file_is_a_change_whatever_git_shows_by_default(clones, tmp_path, monkeypatch):
    """`status.showUntrackedFiles = no` hides it in the user's own `git status`."""
    (tmp_path / "gitconfig").write_text("[status]\nshowUntrackedFiles = no\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (tmp_path / "own" / "gfr" / "new.py").write_text("")
    assert software.collect(tmp_path / "own").git_dirty
