"""The files of a run begin in the order of what they took in the run before."""

from types import SimpleNamespace

import pytest

from tests.helpers.order import KEY, Stopwatch


class Cache(dict):
    """A cache of pytest, as far as it is used."""

    def set(self, key, value):
        """Keep a value."""
        self[key] = value


@pytest.fixture
def files(tmp_path):
    """Return three files, of 1, 2 and 3 bytes."""
    paths = [tmp_path / name for name in "abc"]
    for size, path in enumerate(paths, start=1):
        path.write_text(size * "x")
    return paths


def in_order(files, **settings):
    """Return the tests of the files, two each, in the order in which they would run."""
    items = [
        SimpleNamespace(nodeid=f"{path.name}::{number}", path=path)
        for path in files
        for number in range(2)
    ]
    Stopwatch(SimpleNamespace(**settings)).pytest_collection_modifyitems(items)
    return " ".join(item.nodeid for item in items)


def test_the_longest_begin_first_and_the_tests_of_a_file_stay_in_order(files):
    cache = Cache({KEY: {"a": 1.0, "b": 5.0, "c": 3.0}})
    assert in_order(files, cache=cache) == "b::0 b::1 c::0 c::1 a::0 a::1"


def test_what_nobody_has_timed_begins_before_all_others_and_the_largest_first(files):
    assert in_order(files, cache=Cache()) == in_order(files) == "c::0 c::1 b::0 b::1 a::0 a::1"
    assert in_order(files, cache=Cache({KEY: {"c": 99.0}})).startswith("b::0 b::1 a::0")


def test_the_seconds_of_a_run_are_kept_by_the_process_that_sees_all_of_it():
    for worker, kept in (({}, {"a": 3.0, "b": 7.0}), ({"workerinput": {}}, {"b": 7.0})):
        cache = Cache({KEY: {"b": 7.0}})
        watch = Stopwatch(SimpleNamespace(cache=cache, **worker))
        for seconds in (1.0, 2.0):
            watch.pytest_runtest_logreport(SimpleNamespace(nodeid="a::0", duration=seconds))
        watch.pytest_sessionfinish()
        assert cache[KEY] == kept
