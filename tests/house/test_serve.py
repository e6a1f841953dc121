"""tools/serve.py: a port that is taken, a book that is not built, a browser that hangs up."""

import http.client
import signal
import socket
import subprocess
import sys

import pytest

from tests.helpers.book import ROOT
from tools import serve


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Put a book of one page in the place of the built one."""
    monkeypatch.setattr(serve, "SITE", tmp_path)
    (tmp_path / "index.html").write_text("a page")
    return tmp_path


def test_a_book_that_is_not_built_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(serve, "SITE", tmp_path)
    assert serve.main(["0"]) == 1
    assert "holds no book; run make book first" in capsys.readouterr().err


def test_a_port_that_is_taken_or_none_is_said(site, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for wrong in (port, 70_000, -1):
            assert serve.main(["--", str(wrong)]) == 1
            assert f"port {wrong}: " in (said := capsys.readouterr().err)
            assert said.endswith("choose another: make serve PORT=8001\n")
    with pytest.raises(SystemExit):
        serve.main(["many"])


def test_a_browser_that_hangs_up_is_not_reported_and_a_fault_is(site, capsys):
    with serve.Server(("127.0.0.1", 0), serve.CompressedHandler) as server:
        for error in (ConnectionResetError, BrokenPipeError, ZeroDivisionError):
            try:
                raise error
            except error:
                server.handle_error(None, ("browser", 1))
            assert ("ZeroDivisionError" in capsys.readouterr().err) == (error is ZeroDivisionError)


def test_ctrl_c_ends_the_server_in_silence(site):
    code = "import sys; from pathlib import Path; from tools import serve; "
    code += "serve.SITE = Path(sys.argv[1]); sys.exit(serve.main(['0']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(site)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    port = int(process.stdout.readline().split(":")[2].partition("/")[0])
    browser = http.client.HTTPConnection("127.0.0.1", port)
    browser.request("HEAD", "/")
    assert browser.getresponse().status == 200
    browser.close()
    process.send_signal(signal.SIGINT)
    assert "Traceback" not in process.communicate()[1]
    assert process.returncode == 0
