"""Text shown as it is: the source of functions and classes, and fences that nothing ends."""

import inspect
import re
import textwrap


def source_of(item):
    """Return the source of a function or a class; raise ValueError if it has none of its own."""
    is_named = getattr(item, "__name__", None) != "<lambda>"
    try:
        if is_named and (inspect.isclass(item) or inspect.isroutine(item)):
            return textwrap.dedent(inspect.getsource(item)).rstrip()
    except (OSError, TypeError):  # written in C, or in no file
        pass
    raise ValueError(
        f"item={item!r:.60} has no source to show; pass functions or classes of a Python file"
    )


def fence_of(text, least):
    """Return a Markdown fence, least backticks long, that nothing in a text can end."""
    return max(["`" * (least - 1), *re.findall("`+", text)], key=len) + "`"
