"""Serve the built book on this machine, compressed as web hosts do: python tools/serve.py 8000."""

import argparse
import contextlib
import functools
import gzip
import io
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

try:
    from gpt_helpers.commands import command
except ModuleNotFoundError as error:
    raise SystemExit(f"{error}; run make .venv/book, then this by .venv/bin/python") from None

SITE = Path(__file__).resolve().parents[1] / "_build" / "html"
TEXT = {".html", ".css", ".js", ".svg", ".json", ".ipynb", ".md", ".txt", ".xml"}


@functools.lru_cache(maxsize=1000)
def compress(path, changed):
    """Return the bytes of a file, compressed; changed is its time, so that new bytes are read."""
    return gzip.compress(path.read_bytes(), mtime=0)


class CompressedHandler(SimpleHTTPRequestHandler):
    """Serve files, and those of text compressed to browsers that accept it."""

    protocol_version = "HTTP/1.1"

    def send_head(self):
        """Send the headers and return the body, as an open file."""
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() and self.path.endswith("/") else path
        accepted = "gzip" in self.headers.get("Accept-Encoding", "")
        if path.suffix not in TEXT or not path.is_file() or not accepted:
            return super().send_head()
        body = compress(path, path.stat().st_mtime_ns)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Vary", "Accept-Encoding")
        self.end_headers()
        return io.BytesIO(body)


class Server(ThreadingHTTPServer):
    """Serve, and say nothing of a browser that hangs up."""

    def handle_error(self, request, client_address):
        """Report what went wrong in a request, unless the browser has left."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@command("not served")
def main(arguments=None):
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", nargs="?", type=int, default=8000)
    port = parser.parse_args(arguments).port
    if not (SITE / "index.html").is_file():
        raise ValueError(f"{SITE} holds no book; run make book first")
    handler = functools.partial(CompressedHandler, directory=SITE)
    try:
        server = Server(("127.0.0.1", port), handler)
    except (OSError, OverflowError) as error:
        raise ValueError(f"port {port}: {error}; choose another: make serve PORT=8001") from error
    with server, contextlib.suppress(KeyboardInterrupt):
        print(f"http://127.0.0.1:{server.server_port}/ serves {SITE}; Ctrl-C ends it.", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
