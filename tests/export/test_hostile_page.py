"""`gfr serve` and the public site: requests that are attacks, and what the world may see."""

import itertools
import json
import re
import socket

import pytest
import records
from test_export_records import run as exported_run

from gfr.export import web
from gfr.storage.run_directory import RunDirectory

run = exported_run

UP = ["..", "%2e%2e", "%252e%252e", "..%2f..", "..\\..", "%c0%ae%c0%ae", "....//..", ".%00."]
PLACES = ["", "model/", "report/", "/", "model/tfjs/", "report/figures/", "./", "%2f"]
ENDS = ["run.json", "etc/passwd", "faces.csv"]
TRAVERSALS = [
    "/" + "/".join((place + up, end)) for place, up, end in itertools.product(PLACES, UP, ENDS)
]
LINES = [
    *(f"GET {path} HTTP/1.1".encode() for path in TRAVERSALS),
    b"GET /etc/passwd HTTP/1.1",
    b"GET file:///etc/passwd HTTP/1.1",
    b"GET http://localhost/../../run.json HTTP/1.1",
    b"GET //etc/passwd HTTP/1.1",
    b"GET /model/model.keras%00.json HTTP/1.1",
    b"GET /model HTTP/1.1",
    b"GET /model/ HTTP/1.1",
    b"GET /\xff\xfe HTTP/1.1",
    b"GET /%ff%fe%00%0d%0aX-Evil:%201 HTTP/1.1",
    b"GET /http://[ HTTP/1.1",
    b"GET //[ HTTP/1.1",
    b"GET /" + b"a" * 60_000 + b" HTTP/1.1",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1",
    b"POST / HTTP/1.1",
    b"PUT /model/x HTTP/1.1",
    b"DELETE / HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"TRACE / HTTP/1.1",
    b"CONNECT evil.example:443 HTTP/1.1",
    b"G\x00T / HTTP/1.1",
    b"GET / HTTP/x",
    b"GET",
    b"\x16\x03\x01\x02\x00\x01",  # the beginning of TLS
    b"",
]


@pytest.fixture
def served(run):
    """A server of a run's page; its address."""
    with web.PageServer(web.exported(run, None), 0).in_background() as server:
        yield web.HOST, server.port


def asked(address, request):
    """Send these bytes; return everything until the server closes the connection."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
    return answer


def test_no_request_gets_another_file(served, capfd):
    """220 requests get 4xx, 5xx or no answer: never a file, never a traceback."""
    for line in LINES:
        answer = asked(served, line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert answer == b"" or re.match(rb"HTTP/1\.1 [45]\d\d ", answer), line
        assert b"root:" not in answer and b'"schema"' not in answer
        assert b"x-evil" not in answer.lower().partition(b"\r\n\r\n")[0]
    for host in (b"evil.example", b"", b"localhost.evil.example", b"127.0.0.1.nip.io", b"\xff"):
        assert b" 400 " in asked(served, b"GET / HTTP/1.0\r\nHost: " + host + b"\r\n\r\n")
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_browser_that_hangs_up_is_no_error(served, capfd):
    """Half a request, and a reset in the middle of the largest file; the next one is served."""
    for begun in (
        b"GET / HT",
        b"GET /tfjs-backend-wasm-simd.wasm HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ):
        for _ in range(5):
            connection = socket.create_connection(served, timeout=10)
            linger = b"\1\0\0\0\0\0\0\0"  # close with a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.sendall(begun)
            connection.close()
    assert b" 200 " in asked(
        served, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    assert "Traceback" not in "".join(capfd.readouterr())


def test_the_policy_lets_nothing_in_from_elsewhere(served):
    """In the page and as a header of every answer, errors among them."""
    allowed = {"'none'", "'self'", "'wasm-unsafe-eval'", "blob:"}
    for path in (b"/", b"/worker.js", b"/no-such-file"):
        answer = asked(served, b"GET " + path + b" HTTP/1.0\r\nHost: localhost\r\n\r\n")
        (policy,) = re.findall(rb"content-security-policy: (.*)\r\n", answer)
        rules = dict(rule.split(None, 1) for rule in policy.decode().split("; "))
        assert "'none'" == rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"]
        assert allowed >= {word for rule in rules.values() for word in rule.split()}
        assert "'unsafe-inline'" not in policy.decode()


def test_every_answer_isolates_the_page(served):
    """Without these headers on each file a browser gives the page no threads."""
    for path in (
        b"/",
        b"/worker.js",
        b"/litert/litert_wasm_threaded_internal.js",
        b"/no-such-file",
    ):
        answer = asked(served, b"GET " + path + b" HTTP/1.0\r\nHost: localhost\r\n\r\n").lower()
        for name, value in (
            (b"opener-policy", b"same-origin"),
            (b"embedder-policy", b"require-corp"),
            (b"resource-policy", b"same-origin"),
        ):
            assert 1 == answer.count(b"cross-origin-" + name + b": " + value + b"\r\n"), path


def test_the_public_site_tells_nothing_of_this_machine(run, tmp_path):
    """No image's name, no folder, no host, no user: neither in the card nor anywhere else."""
    (run.directory / "figures").mkdir()
    (run.directory / "summary.json").write_text(json.dumps({"directory": str(tmp_path)}))
    export = RunDirectory(run.directory).export(run.export.trial.id).path
    (export / "stray.json").symlink_to(run.directory / "run.json")
    web.write(export, tmp_path / "site")
    names = {
        path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*")
    }
    assert {"index.html", "model/model_card.json", "model/tfjs/model.json"} <= names
    assert not [name for name in names if name.startswith("report") or "stray" in name]
    private = [str(tmp_path), str(run.directory), "cache/features", "host/1", "w.h5"]
    private += [socket.gethostname(), *records.NAMES]
    for path in (tmp_path / "site" / "model").rglob("*"):
        text = path.read_text("utf-8", "replace") if path.is_file() else ""
        assert not [word for word in private if word in text], path
