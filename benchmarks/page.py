"""How long one image takes on the page, in a real browser, on each backend that it offers.

    .venv/bin/python benchmarks/page.py [RUN] [--trial VGG16-iteration-3] [--calls 30] [--software]

In: a run with its export; Playwright and the system's Chromium. Out: `page.json` beside the export,
which the report shows beside the server-side numbers (`gfr report`), and the same on standard
output. Software that poses as a graphics card is measured only with --software, and says so.
"""

import argparse
import json
import shutil
import sys
import threading
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from gfr.errors import BadInput
from gfr.export import web
from gfr.measurement import hardware
from gfr.report import formatting
from gfr.results import export_records, store
from gfr.storage import paths, run_directory, serialization

ARGUMENTS = ("--headless=new", "--no-first-run", "--disable-background-networking")
BACKENDS = {
    "wasm": (),
    "webgl": ("--use-angle=default", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
    "webgpu": ("--enable-unsafe-webgpu", "--ignore-gpu-blocklist"),
}
PATIENCE_MS = 900_000


def main() -> int:
    """Measure each backend in a browser of its own, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", help="a run id; the newest finished one if not given")
    parser.add_argument("--trial", help="not the selected one")
    parser.add_argument("--reports", type=Path, default=Path(paths.default_directory("reports")))
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--software", action="store_true")
    asked = parser.parse_args()
    try:
        folder = web.exported(
            store.read_run(run_directory.find(asked.reports, asked.run)), asked.trial
        )
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    digest = serialization.read(folder / "export.json", export_records.ExportResult).digest
    timings = []
    with web.server(folder, 0) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://{web.HOST}:{server.server_address[1]}/"
        for backend, more in BACKENDS.items():
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=[*ARGUMENTS, *more],
                chromium_sandbox=False,
            )
            timing = measured(browser, address, backend, asked.calls, asked.software)
            timings += [timing] if timing else []
            version = browser.version
            browser.close()
        server.shutdown()
    cpu = hardware.collect().cpu_model
    found = export_records.PageResult(1, digest, f"Chromium {version}", cpu, tuple(timings))
    serialization.write(folder / "page.json", found)
    for timing in timings:
        print(f"{timing.title}: {formatting.milliseconds(timing.values_s)}")
    return 0


def measured(
    browser: Browser, address: str, backend: str, num_calls: int, with_software: bool
) -> export_records.PageTiming | None:
    """One backend; None where it is absent, or in software that was not asked for."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{address}?backend={backend}&measure={num_calls}")
    page.wait_for_selector("body[data-state=ready]")
    choice = page.locator(f".choice:has(#backend-{backend})").inner_text()
    is_software = "software" in choice
    if page.locator("body").get_attribute("data-backend") != backend:
        return None
    if is_software and not with_software:
        return None
    raw = page.wait_for_selector("#measure-result[data-measurement]", state="attached")
    found = json.loads(raw.get_attribute("data-measurement"))
    return export_records.PageTiming(
        backend, is_software, tuple(ms / 1000 for ms in found["raw_ms"])
    )


if __name__ == "__main__":
    sys.exit(main())
