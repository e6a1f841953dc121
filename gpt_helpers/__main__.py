"""The code of the book from end to end in a terminal: python -m gpt_helpers [--language en]."""

import argparse
import sys

from gpt_helpers.commands import command
from gpt_helpers.demo import run_gpt_demo
from gpt_helpers.language import LANGUAGES


@command("stopped")
def main(arguments=None):
    """Run the chapter as the command line asks; return the exit status."""
    line = argparse.ArgumentParser(
        prog="python -m gpt_helpers",
        description="The code of the book in less than two minutes: a small GPT is counted,"
        " trained and compared; the one that ships with the book writes.",
    )
    line.add_argument("--language", choices=LANGUAGES, default="ja", help="ja unless given")
    options = line.parse_args(arguments)
    # Where the output goes to a file, its encoding may have no Japanese.
    sys.stdout.reconfigure(encoding="utf-8")
    run_gpt_demo(options.language)


if __name__ == "__main__":
    sys.exit(main())
