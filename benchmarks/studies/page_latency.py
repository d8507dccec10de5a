"""Measure how long one image takes on the page, in a real browser, on each backend it offers.

    .venv/bin/python -m benchmarks.studies.page_latency [RUN] [--trial ID] [--calls 30] [--software]

Needs a run with its export, for LiteRT.js also with a LiteRT format (`gfr export --format
litert-float16`), Playwright and the system's Chromium. Writes `page.json` beside the
export, which the report shows beside the server-side numbers (`gfr report`), and prints the same.
A graphics card that is emulated in software is measured only with --software, and marked.
"""

import json
import shutil

from playwright.sync_api import Page, sync_playwright

import gfr
from benchmarks import harness
from cli import options
from gfr.export import web
from gfr.measurement import hardware
from gfr.report import formatting
from gfr.results import export_records
from gfr.storage import serialization
from gfr.storage.run_directory import ExportDirectory

ARGUMENTS = ("--headless=new", "--no-first-run", "--disable-background-networking")
BACKENDS = {
    "wasm": (),
    "litert": (),
    "webgl": ("--use-angle=default", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
    "webgpu": ("--enable-unsafe-webgpu", "--ignore-gpu-blocklist"),
}
PATIENCE_MS = 900_000
RESULT = "#measure-result[data-measurement]"


def main(
    run: options.Run = None, trial: options.Trial = None, calls: int = 30, software: bool = False
) -> None:
    """Measure each backend in a browser of its own, write, print.

    One that is unavailable is left out, and without `software` one that is emulated.
    """
    folder = web.exported(gfr.load_run(run), trial)
    export = ExportDirectory(folder)
    digest = serialization.read(export.record, export_records.ExportResult).digest
    timings = []
    with web.PageServer(folder, 0).in_background() as server, sync_playwright() as playwright:
        for backend, more in BACKENDS.items():
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=[*ARGUMENTS, *more],
                chromium_sandbox=False,
            )
            page = browser.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.goto(f"{server.url}?backend={backend}&measure={calls}")
            page.wait_for_selector("body[data-state=ready]")
            if page.locator("body").get_attribute("data-backend") == backend:
                choice = page.locator(f".choice:has(#backend-{backend})").inner_text()
                is_software = "software" in choice
                if software or not is_software:
                    timings.append(timing_of(page, is_software))
            browser.close()
    cpu = hardware.collect().cpu_model
    result = export_records.PageResult(
        1, digest, f"Chromium {browser.version}", cpu, tuple(timings)
    )
    serialization.write(export.page, result)
    for timing in timings:
        print(f"{timing.title}: {formatting.milliseconds(timing.values_s)}")


def timing_of(page: Page, is_software: bool) -> export_records.PageTiming:
    """Wait for the page's measurement."""
    result = page.wait_for_selector(RESULT, state="attached")
    measured = json.loads(result.get_attribute("data-measurement"))
    backend = measured["backend"]
    if backend == "litert":
        num = measured["num_threads"]
        backend = f"LiteRT.js with {num} thread{'' if num == 1 else 's'}"
    values_s = tuple(ms / 1000 for ms in measured["raw_ms"])
    return export_records.PageTiming(backend, is_software, values_s)


if __name__ == "__main__":
    harness.execute(main)
