"""Fixtures: a small folder in CelebA's layout, made of noise; the page in a browser; a server."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from processes import Server

from gfr.storage.paths import VARIABLES

ATTRIBUTES = ("Eyeglasses", "Male", "Smiling")

# What takes longest begins first, so that no process of `pytest -n` is left with it at the end.
LONGEST = (
    *("test_docs.py", "test_export.py", "test_flow.py", "test_isolation.py", "test_unattended.py"),
    *("test_equality.py", "test_runners.py", "test_deployment.py", "test_backbones.py"),
)


def pytest_configure() -> None:
    """Each process of `pytest -n` has its own temporary directory, and so its own locks."""
    for name in VARIABLES.values():  # a developer's own directories
        os.environ.pop(name, None)
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        folder = Path(tempfile.gettempdir()) / f"gfr-tests-{os.getuid()}-{worker}"
        folder.mkdir(exist_ok=True)
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the modules by `LONGEST`; the rest as it was."""
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


def write_labels(path: Path, rows: dict[str, tuple[int, ...]]) -> None:
    """CelebA's official attribute list."""
    lines = [f"{name} {' '.join(map(str, values))}" for name, values in rows.items()]
    path.write_text("\n".join([str(len(rows)), " ".join(ATTRIBUTES), *lines]) + "\n")


def write_image(path: Path, seed: int, mode: str = "RGB") -> None:
    """A noisy image whose brightness follows `seed % 2`, 178 wide x 218 high."""
    noise = np.random.default_rng(seed).integers(0, 120, (218, 178, 3), dtype=np.uint8)
    image = Image.fromarray(noise + np.uint8(100 * (seed % 2))).convert(mode)
    image.save(path, "JPEG", quality=90)


def write_celeba(root: Path, num: int, folder: str = "images") -> Path:
    """A data directory of `num` images; every odd image is male."""
    (root / folder).mkdir(parents=True)
    rows = {}
    for i in range(1, num + 1):
        name = f"{i:06}.jpg"
        write_image(root / folder / name, i)
        rows[name] = (1 if i % 3 == 0 else -1, 1 if i % 2 else -1, -1)
    write_labels(root / "list_attr_celeba.txt", rows)
    return root


@pytest.fixture
def celeba(tmp_path: Path) -> Callable[..., Path]:
    """A function that makes such a directory."""

    def make(num: int = 40, folder: str = "images") -> Path:
        return write_celeba(tmp_path / "celeba", num, folder)

    return make


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Prefect's server, for all tests that do not ask how `gfr run` starts one."""
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def server_at_hand(prefect_server: Server) -> Iterator[None]:
    """Runs of a module find a server; one of their own would cost each ten seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", prefect_server.url)
        yield


@pytest.fixture(scope="session")
def web_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small exported model, its card and its golden pictures; once for all of `pytest -n`."""
    import web_export

    folder = tmp_path_factory.mktemp("export")
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if session is None:
        return web_export.build(folder)
    shared = Path(tempfile.gettempdir()).parent / f"gfr-tests-{os.getuid()}-model"
    shared.mkdir(exist_ok=True)
    with (shared / "session").open("a+") as known:
        fcntl.flock(known, fcntl.LOCK_EX)
        known.seek(0)
        if known.read() != session:
            shutil.rmtree(shared / "of", ignore_errors=True)
            (shared / "of").mkdir()
            web_export.build(shared / "of")
            known.truncate(0)
            known.write(session)
        shutil.copytree(shared / "of", folder, dirs_exist_ok=True)
    return folder / "model"


@pytest.fixture(scope="module")
def playwright() -> Iterator:
    """Playwright's driver; it holds an event loop, so it goes with the module."""
    from playwright.sync_api import sync_playwright
    from web_browser import chromium

    chromium()  # skip before anything is started
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def chrome(playwright) -> Iterator:
    """One headless browser for a module."""
    from web_browser import launch

    running = launch(playwright)
    yield running
    running.close()


@pytest.fixture
def launch(playwright) -> Iterator:
    """A function that starts a browser with arguments of its own."""
    import web_browser

    started = []

    def start(*arguments: str):
        started.append(web_browser.launch(playwright, *arguments))
        return started[-1]

    yield start
    for running in started:
        running.close()


@pytest.fixture
def host(web_model: Path, tmp_path: Path) -> Iterator:
    """The page with a model and a report, on loopback."""
    from web_host import serve

    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "summary.md").write_text("# A report\n")
    with serve(web_model, tmp_path / "report") as running:
        yield running


@pytest.fixture
def visit(chrome, host) -> Iterator:
    """A function that opens the page; in the end nothing may have gone wrong, or elsewhere."""
    from web_browser import Visit

    visits = []

    def open_page(query: str = "?backend=wasm", chrome=chrome, **options):
        page = chrome.new_context(**options).new_page()
        visits.append(Visit(page, host.url + query))
        return visits[-1].ready()

    yield open_page
    for each in visits:
        assert [] == each.errors
        assert [] == each.foreign()
        each.page.context.close()
