"""A right call of each door of gpt_helpers.commands: none has values of a reader."""

PARSED = "argparse gives it a text, and says what ArgumentTypeError says"
TRUSTING = {
    "gpt_helpers.commands.command": "each program gives it a sentence, and a test tries each error",
    "gpt_helpers.commands.new_file": PARSED,
    "gpt_helpers.commands.positive": PARSED,
    "gpt_helpers.commands.zero_or_positive": PARSED,
}


def examples():
    """Yield the examples."""
    yield from ()
