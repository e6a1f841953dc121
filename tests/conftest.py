"""What the tests share, and which of them are about the built book."""

import signal

import pytest

from gpt_helpers import language

pytest_plugins = [
    "tests.helpers.browser",
    "tests.helpers.live",
    "tests.helpers.firefox",
    "tests.helpers.tour",
]
PAGES = {"site", "browser", "firefox"}  # fixtures: the built book, and what opens it


def pytest_configure(config):
    """Describe the marker, and hear Ctrl-C, which a shell may have told programs to ignore."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "page: needs the built book or a browser; set by fixtures")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """Mark what needs the built book or a browser, so that it can be run, or left out, alone.

    Raises UsageError for a name that holds an address, which other processes do not know.
    """
    for item in items:
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid} has another name in each process; give ids")
        if PAGES & set(getattr(item, "fixturenames", ())):
            item.add_marker("page")


@pytest.fixture(autouse=True)
def language_put_back():
    """Undo language.use, which the first cell of a notebook calls and a test may run."""
    before = language.chosen
    yield
    language.chosen = before
