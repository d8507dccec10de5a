"""What docs/security.md promises: by what the code may not call, and by trying it where cheap."""

import ast
import functools
import re
import socket

import numpy as np
import pytest
import yaml

from gfr.errors import InputError
from gfr.export import web
from gfr.models import feature_store
from gfr.storage import run_directory
from gfr.storage.paths import ROOT

SOURCES = [
    path
    for folder in ("gfr", "tasks", "flows", "cli", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
# Readers that run what they read, by module or by name.
UNSAFE_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "torch"}
UNSAFE_CALLS = {
    *("eval", "exec", "os.system", "os.popen", "subprocess.getoutput", "tempfile.mktemp"),
    *("yaml.load", "yaml.full_load", "yaml.unsafe_load", "pd.read_pickle", "pickle_load"),
    *("keras.config.enable_unsafe_deserialization", "keras.layers.Lambda"),
}


@functools.cache
def nodes():
    """Every import, call and constant in our code: where it stands, and itself."""
    kinds = ast.Import | ast.ImportFrom | ast.Call | ast.Constant
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno}", node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, kinds)
    ]


def imports():
    """Where, and what is imported."""
    for place, node in nodes():
        if isinstance(node, ast.Import):
            yield from ((place, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield place, node.module or ""


def calls():
    """Where, what is called as `a.b.c`, and the keywords with the values that stand there."""
    for place, node in nodes():
        if isinstance(node, ast.Call):
            parts, function = [], node.func
            while isinstance(function, ast.Attribute):
                parts.append(function.attr)
                function = function.value
            parts.append(function.id if isinstance(function, ast.Name) else "")
            given = {row.arg: getattr(row.value, "value", "?") for row in node.keywords}
            yield place, ".".join(reversed(parts)), given


def test_nothing_is_unpickled_or_evaluated():
    """Neither by an import nor by a call."""
    found = [row for row in imports() if row[1].split(".")[0] in UNSAFE_MODULES]
    found += [(place, name) for place, name, _ in calls() if name in UNSAFE_CALLS]
    assert [] == found


def test_arrays_are_read_without_objects_and_models_in_safe_mode():
    """np.load, and every way of Keras to read a model; the latter says so where it stands."""
    readers = {"load_model", "model_from_json", "deserialize_keras_object"}
    models = [row for row in calls() if row[1].split(".")[-1] in readers]
    assert [] == [row for row in calls() if row[2].get("allow_pickle", False)]
    assert models
    assert [] == [row for row in models if row[2].get("safe_mode") is not True]


def test_no_shell_stands_between_us_and_a_program():
    """Words from the outside are arguments, never commands; certificates are always checked."""
    assert [] == [row for row in calls() if row[2].get("shell") or "verify" in row[2]]


def test_servers_listen_on_loopback():
    """Ours, Prefect's by make, and no address of ours that means every network."""
    assert "127.0.0.1" == web.HOST
    served = re.findall("server start.*", (ROOT / "Makefile").read_text())
    assert served and all("--host 127.0.0.1" in line for line in served)
    constants = [(place, node) for place, node in nodes() if isinstance(node, ast.Constant)]
    assert [] == [place for place, node in constants if node.value == "0.0.0.0"]


def test_the_pages_server_cannot_be_reached_by_another_address(tmp_path):
    """It answers on loopback and nowhere else, this machine's own name included."""
    server = web.PageServer(tmp_path / "runs" / "r" / "export" / "t", 0)
    with server.in_background(), pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", server.port), timeout=1)


def test_an_array_of_objects_is_a_damaged_shard(tmp_path):
    """Reading it would have run this."""

    class Evil:
        def __reduce__(self):
            return (tmp_path / "evil").touch, ()

    (tmp_path / "features").mkdir()
    np.save(tmp_path / "features" / "00000-0.npy", np.array([Evil()], object))
    (tmp_path / "evil").unlink(missing_ok=True)
    assert feature_store.intact(tmp_path / "features", 0) is None
    assert not (tmp_path / "evil").exists()


def test_a_head_that_carries_code_is_refused(tmp_path):
    """A Lambda layer, and a directory where the file should be."""
    import keras

    from gfr.engines import keras_model

    code = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x + 1)])
    code.save(tmp_path / "head.keras")
    (tmp_path / "checkpoint.keras").mkdir()
    for name in ("head", "checkpoint"):
        with pytest.raises(InputError, match=f"{name}.keras: no trained head"):
            keras_model._load_head(tmp_path / f"{name}.keras")


def test_the_deployments_run_no_command_before_the_flow():
    """prefect.yaml has one pull step, which changes the directory."""
    pulled = yaml.safe_load((ROOT / "prefect.yaml").read_text())["pull"]
    assert ["prefect.deployments.steps.set_working_directory"] == [
        name for step in pulled for name in step
    ]


def test_both_pages_have_a_policy_without_unsafe_scripts():
    """The page has its own and a header for its worker; the report's: tests/report/test_html.py."""
    policy = dict(part.strip().split(" ", 1) for part in web.policy().split(";"))
    assert "'none'" == policy["default-src"]
    assert "'self' 'wasm-unsafe-eval'" == policy["script-src"]
    assert "'self'" == policy["connect-src"]
    scripts = [*(ROOT / "web" / "src").rglob("*.js"), *(ROOT / "gfr").rglob("*.js")]
    assert len(scripts) > 3
    for path in scripts:
        assert not re.search("(inner|outer|adjacent)HTML|document.write", path.read_text())


@pytest.mark.parametrize("name", ["../r", "/etc", "a/b", ".", "..", "", "r\n", "-r"])
def test_a_run_id_is_no_path(name):
    """As typed, or as a parameter of a deployment."""
    with pytest.raises(InputError, match="run id"):
        run_directory.directory(ROOT / "reports", name)
