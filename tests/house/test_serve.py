"""tools/serve.py: a port that is taken, a book that is not built, a browser that hangs up."""

import http.client
import os
import signal
import socket
import struct
import subprocess
import sys

import pytest

from tests.helpers.book import ROOT
from tools import serve


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Put a book of one large page in the place of the built one."""
    monkeypatch.setattr(serve, "SITE", tmp_path)
    (tmp_path / "index.html").write_bytes(os.urandom(10**7))
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


def test_a_browser_that_hangs_up_and_ctrl_c_leave_no_traceback(site):
    code = "import sys; from pathlib import Path; from tools import serve; "
    code += "serve.SITE = Path(sys.argv[1]); sys.exit(serve.main(['0']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(site)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    port = int(process.stdout.readline().split(":")[2].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port)) as browser:
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        browser.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        browser.recv(10)
    again = http.client.HTTPConnection("127.0.0.1", port)
    again.request("HEAD", "/")
    assert again.getresponse().status == 200
    again.close()
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    assert "Traceback" not in said
    assert "Exception" not in said
    assert process.returncode == 0
