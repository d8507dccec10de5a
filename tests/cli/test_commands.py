"""Every command that a document shows is known to the program it is for; quick ones are run.

A line that fails here names a command, an option, a target or a file that does not exist. Put it
right, or, if it belongs to a program that nothing here can ask, add that to LISTED with a reason.
"""

import ast
import json
import re
import shlex
import tomllib
import uuid

import documents
import pytest
import records
import typer
import yaml

from cli.main import app
from gfr.config import loader
from gfr.report import metric_columns
from gfr.report.analysis import analyse
from gfr.storage import paths, serialization
from gfr.storage.paths import ROOT

CODES = [code for path in documents.paths() for code in documents.codes(path)]

# Indented blocks that are no commands, by how they begin.
NO_COMMANDS = {
    "index.html, page.js": "files of a web host (docs/web.md)",
    "runs/<run_id>/": "files of a run (reports/README.md)",
    "data/celeba/img_align_celeba/": "files of CelebA (docs/data.md)",
    "Cross-Origin-Opener-Policy:": "headers of a web host (docs/web.md)",
    "2\nMale\n": "a label file (docs/data.md)",
    "image,is_male": "a label file (docs/extending.md)",
    "image,p_male": "answers of another classifier (docs/benchmark-file.md)",
}
# Programs whose words are not looked at.
LISTED = {
    **dict.fromkeys(("cd", "echo", "export", "mkdir", "cp", "ls"), "the shell's own, or near it"),
    "git": "its own; nothing of gfr in it",
    "sudo": "changes the machine: services and PostgreSQL of docs/operations.md, tried by hand",
    "dask": "by hand; tests/flows/test_task_runners.py starts a cluster in its own process",
    "node": "tests/export/test_web_files.py runs what web/dist/node holds",
    "pip": "installs; make does it in CI",
    "uv": "installs; make does it in CI",
    "pip-audit": "asks a service; CI asks none",
    "ruff": "make lint runs it",
    "mypy": "make lint runs it",
}
# Documents whose Python another test runs.
RUN_ELSEWHERE = {
    "docs/api.md": "tests/pipeline/test_api.py",
    "docs/compare-models.md": "tests/project/test_compare_models.py",
    "docs/extending.md": "tests/models/test_custom_model.py",
}
# Commands of gfr that take a moment on a finished run: they are run. All others are only parsed;
# those of the README are run by tests/project/test_docs.py, in a clone.
QUICK = ("verdict", "compare", "list")


def lines(code):
    """A block's command lines; those that end in a backslash joined, comments left out."""
    joined = code.text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and line.strip()[0] != "#"]


def commands(code):
    """Lists of words, one a command; assignments before it and the way to it are left out."""
    for line in lines(code) if code.kind != "inline" else [code.text]:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
        lexer.whitespace_split = True
        words = [[]]
        for word in lexer:
            if re.fullmatch("[;&|]+", word):
                words.append([])
            elif words[-1]:
                words[-1].append(word)
            elif not re.match(r"[A-Z_]+=", word):
                words[-1].append(word.rpartition("/bin/")[2])
        yield from filter(None, words)


def is_toml(code):
    """Rows of a benchmark file."""
    looks_so = re.match(r"\[\[?\w+\]\]?|\w+ = ", code.text.lstrip("# "))
    return code.kind == "toml" or (code.kind == "indented" and bool(looks_so))


def is_python(code):
    """What is typed into Python."""
    looks_so = code.text.startswith(("import ", "from "))
    return code.kind == "python" or (code.kind == "indented" and looks_so)


def is_commands(code):
    """A block for a shell."""
    if code.kind in ("sh", "bash", "console", "shell"):
        return True
    is_other = is_toml(code) or is_python(code) or code.text.startswith(tuple(NO_COMMANDS))
    return code.kind == "indented" and not is_other


WHOLE = [(code.place, words) for code in CODES if is_commands(code) for words in commands(code)]


def mentioned():
    """Commands in sentences: they may lack arguments, but name nothing that does not exist."""
    for code in CODES:
        if code.kind == "inline" and re.match(r"(\.venv/bin/)?(gfr|make|prefect) ", code.text):
            try:
                yield from ((code.place, words) for words in commands(code))
            except ValueError as error:
                pytest.fail(f"{code.place}: {code.text}: {error}")


def gfr(words, is_whole):
    """What Typer's own parser has against it; nothing is called."""
    command, path = typer.main.get_command(app), []
    words = [word.strip("[]").removesuffix("...") or "X" for word in words]
    while hasattr(command, "commands"):
        name = words.pop(0) if words else ""
        if name.startswith("-") or not (name or is_whole):
            return ""
        if name not in command.commands:
            return f"gfr {' '.join([*path, name])}: no such command"
        command = command.commands[name]
        path.append(name)
    try:
        if is_whole:
            command.make_context(" ".join(path), words)
        else:
            context = typer.Context(command)
            command.make_parser(context).parse_args(words)
    except typer.Exit:  # --help
        return ""
    except Exception as error:  # of the parser, which is Typer's copy of click
        if not is_whole and type(error).__name__ == "BadOptionUsage":  # it lacks its value
            return ""
        return f"gfr {' '.join([*path, *words])}: {type(error).__name__}: {error}"
    return ""


def make(words, is_whole):
    """Targets and variables of the Makefile."""
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    for word in words:
        name, is_variable, _ = word.strip("[]").partition("=")
        if is_variable and not re.search(rf"\$\((or \$\()?{name}\)", text):
            return f"make: no variable {name}"
        if not is_variable and name not in targets:
            return f"make {name}: no such target"
    return ""


def prefect(words, is_whole):
    """Prefect's own parser; its public `app` parses and runs in one."""
    from prefect.cli._app import _app

    named = {"ID": str(uuid.UUID(int=0))}
    words = [named.get(word, word) for word in words if word != "--no-prompt"]  # read before
    try:
        _app.parse_args(words, exit_on_error=False, print_error=False)
    except Exception as error:
        if not is_whole and type(error).__name__ == "MissingArgumentError":
            return ""
        return f"prefect {' '.join(words)}: {error}"
    return ""


def options_of(path):
    """The parameters of a script's `main`, as options."""
    body = ast.parse(path.read_text("utf-8")).body
    (main,) = [node for node in body if getattr(node, "name", "") == "main"]
    return {f"--{parameter.arg.replace('_', '-')}" for parameter in main.args.args}


def script(words, is_whole):
    """Check files of the project, their options, and tests by file and function."""
    if words[:1] == ["-m"] and words[1].startswith("benchmarks."):
        words = [words[1].replace(".", "/") + ".py", *words[2:]]
    for word in words:
        name, _, function = word.partition("::")
        if name.endswith(".py"):
            if not (ROOT / name).exists():
                return f"{name}: no such file"
            if f"def {function.partition('[')[0]}" not in (ROOT / name).read_text():
                return f"{word}: no such test"
    if words and words[0].startswith("benchmarks/"):
        known = options_of(ROOT / words[0])
        unknown = [word for word in words if word[:2] == "--" and word not in known]
        return f"{words[0]}: no option {unknown[0]}" if unknown else ""
    return ""


PARSERS = {
    **{"gfr": gfr, "make": make, "prefect": prefect, "python": script, "pytest": script},
    "python3.11": script,
}


@pytest.mark.parametrize("program", [*PARSERS, "others"])
def test_what_is_shown_can_be_typed(program):
    """No command, option, target, variable or file that does not exist."""
    wrong = []
    for is_whole, found in ((True, WHOLE), (False, mentioned())):
        for place, (name, *words) in found:
            if program == name:
                problem = PARSERS[name](words, is_whole)
            elif program == "others" and name not in PARSERS and name not in LISTED:
                problem = f"{name}: neither known nor listed (tests/cli/test_commands.py)"
            else:
                continue
            wrong += [f"{place}: {problem}"] if problem else []
    assert [] == wrong


def test_wrong_commands_are_found():
    """The parsers can refuse: an option, a command, a target, a variable, a file, a test."""
    for parser, line in (
        (gfr, "run full --dat DIR"),
        (gfr, "rum"),
        (gfr, "compare RUN_A"),
        (gfr, "data chek DIR"),
        (gfr, "run --retries many"),
        (make, "smok"),
        (make, "speed DATUM=x"),
        (prefect, "deployment run gfr/full-benchmark --wach"),
        (script, "-m benchmarks.tools.compare --sav"),
        (script, "-m benchmarks.tools.none"),
        (script, "benchmarks/micro/test_latency.py::test_none"),
    ):
        assert parser(line.split(), True), line
    assert gfr(["run", "--weight", "random"], False)
    assert not gfr(["compare"], False)


def test_blocks_of_data_can_be_read():
    """TOML, JSON and YAML are whole; a benchmark's rows fit behind those of `full`."""
    readers = {"json": json.loads, "yaml": yaml.safe_load, "yml": yaml.safe_load}
    for code in CODES:
        if code.kind in readers:
            readers[code.kind](code.text)
        elif is_toml(code):
            assert tomllib.loads(code.text), code.place


def test_the_readmes_rows_make_a_benchmark(tmp_path):
    """A backbone and an iteration, added to benchmarks/full.toml as they stand there."""
    rows = [code.text for code in CODES if code.document == "README.md" and is_toml(code)]
    path = tmp_path / "more.toml"
    full = (ROOT / "benchmarks" / "full.toml").read_text()
    path.write_text("\n".join([full, *rows]))
    assert 13 == len(loader.load(path).trials)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A project's root with two finished runs in it."""
    for name in ("first", "second"):
        written = records.run(tmp_path / "reports" / "runs" / name)
        records.write(written)
        serialization.write(written.directory / "verdict.json", records.verdict(written))
        found = analyse(written, records.FACES, records.SPLITS)
        metric_columns.write(written.directory, metric_columns.frame(written, found))
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_quick_commands_run(place, capsys):
    """On a finished run, with its name for RUN."""
    named = {"RUN": "first", "[RUN]": "second", "RUN_A": "first", "RUN_B": "second"}
    quick = {("list",)} | {
        tuple(named.get(word, word) for word in words)
        for _, (name, *words) in WHOLE
        if name == "gfr" and words and words[0] in QUICK
    }
    assert {"verdict", "compare"} <= {words[0] for words in quick}
    for words in sorted(quick):
        assert not app(list(words), standalone_mode=False), words
        assert capsys.readouterr().out, words


def test_python_runs(place):
    """What is shown of Python, one block after the other, on the tables of a finished run."""
    (place / "reports" / "runs" / "first").rename(place / "reports" / "runs" / "RUN")
    blocks = [code for code in CODES if is_python(code) and code.document not in RUN_ELSEWHERE]
    assert blocks
    for code in blocks:
        exec(compile(code.text, code.place, "exec"), {})  # our own documents
