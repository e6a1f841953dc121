"""JSON of any shape in the place of what a file should hold."""

import itertools
import json

DEEP = "[" * 100_000
FOREIGN = [
    None, True, -1, 0, 1.5, 10**12, 10**30, 10**400, 1e308, float("nan"), float("inf"), "text",
    "\ud800", "a" * 5000, [], [[]], [None], {}, {"a": 1}, {"": {}},
]  # fmt: skip


def foreign_texts(content, most=12):
    """Yield JSON texts with something else in the place of content, and of each part of it.

    Of a list, or of what is named in a dict, the first parts stand for all.
    """
    yield from ("", "[", "{", "\ufeff{}", "\0", DEEP, '{"a":' * 100_000, "1" * 5000, "[1e999]")
    yield from map(json.dumps, foreign(content, most))


def foreign(content, most):
    """Yield copies of content with something else in one place."""
    yield from FOREIGN
    if isinstance(content, dict):
        for name in itertools.islice(content, most):
            yield {key: value for key, value in content.items() if key != name}
            yield from (content | {name: other} for other in foreign(content[name], most))
    if isinstance(content, list):
        for place in range(min(len(content), most)):
            for other in foreign(content[place], most):
                yield [*content[:place], other, *content[place + 1 :]]
