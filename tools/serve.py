"""Serve the built book on this machine, compressed as web hosts do: python tools/serve.py 8000."""

import functools
import gzip
import io
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

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


def main():
    """Serve until Ctrl-C."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    handler = functools.partial(CompressedHandler, directory=SITE)
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print(f"http://127.0.0.1:{port}/ serves {SITE}; Ctrl-C ends it.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
