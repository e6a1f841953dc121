"""What the tests share."""

pytest_plugins = ["tests.browser", "tests.live", "tests.firefox", "tests.tour"]
