"""What the tests share."""

pytest_plugins = [
    "tests.helpers.browser",
    "tests.helpers.live",
    "tests.helpers.firefox",
    "tests.helpers.tour",
]
