"""Fixtures that open the built book in a real browser."""

import contextlib
import os
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("SITE", ROOT / "_build" / "html"))  # the built book
EDITIONS = ("ja", "en")
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
COLOURS = ["color-contrast", "link-in-text-block"]  # rules of axe that read the theme
REST = {name: {"enabled": False} for name in COLOURS} | {"target-size": {"enabled": True}}
# Of listings and rows whose letters look like those of others before them, axe reads no colours:
# it takes a hundredth of a second for each word.
AXE = """async ([options, within, boxes]) => {
  const seen = new Set();
  const ground = (element) => {
    const colour = element && getComputedStyle(element).backgroundColor;
    return colour?.endsWith(", 0)") ? ground(element.parentElement) : colour;
  };
  const isSeen = (element) => {
    const { color, fontSize, fontWeight, opacity, textDecoration } = getComputedStyle(element);
    const look = [color, fontSize, fontWeight, opacity, textDecoration, ground(element)].join();
    return seen.has(look) || !seen.add(look);
  };
  const exclude = [...document.querySelectorAll(boxes)]
    .filter((box) => [box, ...box.querySelectorAll("*")].filter((e) => !isSeen(e)).length === 0);
  const context = { include: [within ?? document], exclude };
  options = { resultTypes: ["violations"], preload: false, ...options };
  const { violations } = await axe.run(context, options);
  return violations.map((v) => `${v.id} (${v.impact}): ${v.nodes[0].html.slice(0, 160)}`);
}"""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve files without a line in the log for each."""

    def log_message(self, *args):
        """Say nothing."""


class QuietServer(ThreadingHTTPServer):
    """Serve on, without a traceback, when the browser leaves before the answer."""

    def handle_error(self, request, client_address):
        """Say nothing."""


@contextlib.contextmanager
def serving(handler, folder=SITE):
    """Serve a folder on loopback, and give the address while it is served."""
    with QuietServer(("127.0.0.1", 0), partial(handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def page_names(site):
    """Return every page of both editions, as paths below the site."""
    pages = (path for edition in EDITIONS for path in (site / edition).rglob("*.html"))
    return sorted(
        path.relative_to(site).as_posix() for path in pages if "_static" not in path.parts
    )


def find_faults(page, within=None):
    """Return what axe finds on a page, or in the elements of a selector."""
    return run_axe(page, {"rules": REST}, within) + find_colour_faults(page, within)


def find_colour_faults(page, within=None):
    """Return what axe finds in the colours of a page, which change with the theme."""
    return run_axe(page, {"runOnly": COLOURS}, within, "article :is(pre, tr)")


def run_axe(page, options, within=None, boxes=":not(*)"):
    """Return what axe finds, without boxes that look like others before them."""
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(AXE_SCRIPT)
    return page.evaluate(AXE, [options, within, boxes])


def find_chromium(playwright):
    """Return the path of a Chromium, or raise FileNotFoundError with what to do."""
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES), MAC]
    for path in [*found, playwright.chromium.executable_path]:
        if path and Path(path).exists():
            return path
    raise FileNotFoundError(
        "The pages need Chromium. Install the package chromium, or run "
        "'playwright install chromium', or set CHROMIUM to the path of a browser."
    )


@pytest.fixture(scope="session")
def site():
    """Return the folder of the built book."""
    if not (SITE / "index.html").exists():
        pytest.fail(f"No book in {SITE}: run 'make book' first.")
    return SITE


@pytest.fixture(scope="session")
def address(site):
    """Serve the built book on loopback and return its address."""
    with serving(QuietHandler, site) as own:
        yield own


@pytest.fixture(scope="session")
def browser():
    """Start one headless Chromium for all page tests."""
    with sync_playwright() as playwright:
        path = find_chromium(playwright)
        chromium = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    """Open one new window."""
    context = browser.new_context()
    yield context.new_page()
    context.close()
