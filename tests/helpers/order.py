"""Test files that take longest begin first, so that no process waits at the end for another.

    python -m pytest -p tests.helpers.order --numprocesses 2 --dist loadfile --no-loadscope-reorder

How long each file took is kept in pytest's cache. Before a first run, and of a new file, nobody
knows: such files begin before all others, the largest first (a notebook's outputs weigh about as
much as its work).
"""

import math
from pathlib import Path

KEY = "seconds of files"


class Stopwatch:
    """The seconds of each test file: those of runs before, and those of this one."""

    def __init__(self, config):
        """Read what the runs before have left in the cache, if there is one."""
        self.cache, self.seconds = getattr(config, "cache", None), {}
        self.before = self.cache.get(KEY, {}) if self.cache else {}
        self.is_worker = hasattr(config, "workerinput")

    def pytest_collection_modifyitems(self, items):
        """Put the files in order; the tests of a file stay as they are."""
        items.sort(key=lambda item: self.rank(item.nodeid, item.path))

    def rank(self, name, path):
        """Return what sorts a test by its file: the longer, the earlier."""
        file = name.partition("::")[0]
        size = Path(path).stat().st_size
        return -self.before.get(file, math.inf), -size, file

    def pytest_runtest_logreport(self, report):
        """Add the seconds of one part of a test to those of its file."""
        file = report.nodeid.partition("::")[0]
        self.seconds[file] = self.seconds.get(file, 0.0) + report.duration

    def pytest_sessionfinish(self):
        """Keep the seconds for the next run; of several processes the first one does."""
        if self.cache and not self.is_worker:
            self.cache.set(KEY, self.before | self.seconds)


def pytest_configure(config):
    """Take the time of the files of a run."""
    config.pluginmanager.register(Stopwatch(config), "stopwatch")
