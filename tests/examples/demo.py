"""The door of gpt_helpers.demo, whose right call takes two minutes: see tests/test_demo.py."""

TRUSTING = {
    "gpt_helpers.demo.run_gpt_demo": "takes two minutes; tests/test_demo.py gives it bad input",
}


def examples():
    """Yield the examples."""
    yield from ()
