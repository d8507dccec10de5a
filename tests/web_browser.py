"""A headless Chromium, and a visit to the page that remembers what went wrong.

In: an address. Out: what the page shows, as its data attributes have it. Never: brings a browser;
it drives the system's.
"""

import io
import json
import os
import shutil
from collections.abc import Sequence

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright

ARGUMENTS = [
    *("--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
    # Whatever the page might ask of others fails at once, here and on every machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
PATIENCE_MS = 120_000  # a loaded machine of two cores


def chromium() -> str:
    """The system's Chromium; without it these tests are skipped, but fail in CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        message = "these tests need Chromium: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        # On a developer's machine: `make test` names what it left out, CI does not let it pass.
        pytest.skip(message)  # only on a developer's machine: CI fails instead
    return path


def launch(playwright: Playwright, *arguments: str) -> Browser:
    """Start it."""
    return playwright.chromium.launch(
        executable_path=chromium(), args=[*ARGUMENTS, *arguments], chromium_sandbox=False
    )


class Visit:
    """One page, what it logged as an error, and which addresses it asked for."""

    def __init__(self, page: Page, address: str):
        """Go there."""
        self.page, self.address = page, address
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda line: line.type == "error" and self.errors.append(line.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.context.on("request", lambda request: self.requests.append(request.url))
        page.goto(address)

    def ready(self) -> "Visit":
        """Wait for the model."""
        self.page.wait_for_selector("body[data-state=ready]")
        return self

    def give(self, *files: tuple[str, bytes]) -> "Visit":
        """Pick files by name and content, and wait until all are through."""
        chosen = [
            {"name": name, "mimeType": "application/octet-stream", "buffer": content}
            for name, content in files
        ]
        self.page.set_input_files("#files", chosen)
        return self.through()

    def through(self) -> "Visit":
        """Wait until nothing is under way."""
        self.page.wait_for_selector("#photos[data-pending='0']", state="attached")
        return self

    def faces(self, name: str | None = None) -> list[dict[str, str]]:
        """The data attributes of each answer, of one photo or of all."""
        of_one = f"[data-file='{name}'] " if name else ""
        script = "items => items.map((item) => ({...item.dataset}))"
        return self.page.locator(f"{of_one}.face").evaluate_all(script)

    def p_male(self, name: str | None = None) -> list[float]:
        """The exact probabilities."""
        return [float(face["pMale"]) for face in self.faces(name)]

    def text(self, selector: str) -> str:
        """What stands there."""
        return self.page.locator(selector).inner_text()

    def data(self, selector: str, name: str) -> dict:
        """The JSON in a data attribute, once it is there."""
        found = self.page.wait_for_selector(f"{selector}[data-{name}]", state="attached")
        return json.loads(found.get_attribute(f"data-{name}"))

    def foreign(self) -> list[str]:
        """Requests to anywhere but the page's own host."""
        own = self.page.evaluate("location.origin") + "/"
        return [url for url in self.requests if not url.startswith((own, f"blob:{own}"))]


def encoded(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    """A picture as a file's content."""
    content = io.BytesIO()
    picture.save(content, format, **options)
    return content.getvalue()


def pasted(
    pictures: Sequence[Image.Image], size: tuple[int, int], at: Sequence[tuple[int, int, float]]
) -> Image.Image:
    """Pictures on a grey ground, each at x, y and scale."""
    ground = Image.new("RGB", size, (112, 118, 121))
    for picture, (x, y, scale) in zip(pictures, at, strict=True):
        width, height = round(picture.width * scale), round(picture.height * scale)
        ground.paste(picture.resize((width, height), Image.Resampling.LANCZOS), (x, y))
    return ground
