"""Firefox through WebDriver BiDi, which it speaks itself: no driver program is needed."""

import itertools
import json
import os
import re
import shutil
import subprocess

import pytest
from websockets.sync.client import connect

NAMES = ("firefox-esr", "firefox")
KEYS = {"Enter": "\ue007", "Tab": "\ue004", "Right": "\ue014", "Left": "\ue012"}
SECONDS = 60


class Firefox:
    """One page of a headless Firefox."""

    def __init__(self, socket):
        """Begin a session on the socket of a Firefox that has just started."""
        self.socket, self.numbers = socket, itertools.count(1)
        self.ask("session.new", capabilities={})
        # The first window has no focus without a screen; one that is opened has.
        self.context = self.ask("browsingContext.create", type="window")["context"]

    def ask(self, method, **parameters):
        """Send a command and return its result; raise AssertionError with what Firefox says."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.socket.recv(timeout=SECONDS))
            if answer.get("id") == number:
                assert answer["type"] == "success", answer
                return answer["result"]

    def open(self, url):
        """Open a page and wait until it has loaded."""
        self.ask("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def evaluate(self, expression):
        """Return the value of a JavaScript expression, or of the promise that it is."""
        target = {"context": self.context}
        expression = f"(async () => JSON.stringify(await ({expression}) ?? null))()"
        answer = self.ask(
            "script.evaluate", expression=expression, target=target, awaitPromise=True
        )
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return json.loads(answer["result"]["value"])

    def wait(self, condition):
        """Wait until a JavaScript expression is true."""
        self.evaluate(
            f"""new Promise((resolve, reject) => {{
              const end = performance.now() + {1000 * SECONDS / 2};
              const look = () => {{
                if ({condition}) resolve(true);
                else if (performance.now() > end) reject(new Error("not within the time"));
                else setTimeout(look, 50);
              }};
              look();
            }})"""
        )

    def press(self, *keys):
        """Press keys, one after the other: names of KEYS, or characters."""
        strokes = [
            {"type": kind, "value": KEYS.get(key, key)}
            for key in keys
            for kind in ("keyDown", "keyUp")
        ]
        keyboard = {"type": "key", "id": "keyboard", "actions": strokes}
        self.ask("input.performActions", context=self.context, actions=[keyboard])


def start_firefox(folder):
    """Start a headless Firefox with a profile of its own; return the process and its address."""
    program = os.environ.get("FIREFOX") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("Firefox is not installed: install firefox-esr, or set FIREFOX to its path")
    command = [program, "--headless", "--remote-debugging-port=0", "--profile", folder]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    for line in process.stderr:
        if found := re.search(r"BiDi listening on (ws://\S+)", line):
            return process, f"{found[1]}/session"
    pytest.fail("Firefox ended before it was ready")


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    """Start one headless Firefox for the tests of a module."""
    process, address = start_firefox(tmp_path_factory.mktemp("firefox"))
    try:
        with connect(address, max_size=None) as socket:
            yield Firefox(socket)
    finally:
        process.terminate()
        process.wait(timeout=30)
