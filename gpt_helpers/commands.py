"""How the commands of the book end: with an exit status, and in a sentence where they fail.

Imports no torch. 0 says done, 1 failed or refused, 2 wrong usage (from argparse), 130 interrupted,
141 that nobody reads the output any more. A fault of the code itself still shows its traceback.
"""

import argparse
import functools
import os
import subprocess
import sys
from pathlib import Path

MOST = 2**31 - 1  # of a number on a command line: what libraries in C hold
FAILURES = (
    ArithmeticError, EOFError, ImportError, MemoryError, OSError, RuntimeError, ValueError,
    subprocess.SubprocessError,
)  # fmt: skip


def command(failed, interrupted="interrupted"):
    """Make of main(arguments) a command that returns its exit status and says why it is not 0.

    The sentence begins with failed, such as "not trained", and goes to stderr. main may return a
    status of its own.
    """

    def decorate(main):
        @functools.wraps(main)
        def ended(*arguments, **options):
            try:
                status = main(*arguments, **options) or 0
                sys.stdout.flush()  # a disk that is full says so here
            except BrokenPipeError:
                return leave_output(141)
            except KeyboardInterrupt:
                return complained(interrupted, 130)
            except FAILURES as error:
                leave_output(1)
                return complained(f"{failed}: {sentence(error)}", 1)
            return status

        return ended

    return decorate


def complained(text, status):
    """Write a line to stderr, and return the exit status."""
    sys.stderr.write(text + "\n")
    return status


def sentence(error):
    """Return what an error says, without the addresses in compiled code that torch appends."""
    text = str(error).partition("\nException raised from")[0].strip()
    return text or type(error).__name__


def leave_output(status):
    """Point stdout at nothing, so that nobody tries to write the rest; return the exit status."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def positive(text):
    """Return the positive integer of an argument, as a type of argparse."""
    return integer_from(1, text, "a positive integer")


def zero_or_positive(text):
    """Return the integer of an argument, 0 or more, as a type of argparse."""
    return integer_from(0, text, "0 or a positive integer")


def integer_from(least, text, wanted):
    """Return the integer that a text stands for; raise ArgumentTypeError if it is less."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not least <= value <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} must be {wanted}")
    return value


def new_file(text):
    """Return the path of a file that can be written, as a type of argparse; make its folder."""
    path = Path(text)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot be written; name a file in a folder that is yours"
        )
    return path


def say_why_imports_end():
    """Let Ctrl-C, or a package that is not there, end this process in words during its imports."""
    usual = sys.excepthook

    def hook(kind, error, trace):
        if issubclass(kind, KeyboardInterrupt):
            complained("interrupted", 130)
        elif isinstance(error, ModuleNotFoundError) and "gpt_helpers" not in str(error):
            complained(
                f"{error}; install it: {sys.executable} -m pip install -r requirements.txt", 1
            )
        else:
            usual(kind, error, trace)

    sys.excepthook = hook
