"""Build both editions, strictly, into _build/html: python tools/build.py.

Each edition is a run of Sphinx with its own language and table of contents, side by side.
"""

import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

try:
    import yaml

    from gpt_helpers.commands import command
except ModuleNotFoundError as error:
    raise SystemExit(f"{error}; run make .venv/book, then this by .venv/bin/python") from None

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
SITE = BUILD / "html"
EDITIONS = {"ja": "", "en": ".en"}


def merge(base, overlay):
    """Return base with the values of overlay, dict by dict."""
    merged = dict(base)
    for key, value in overlay.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = merge(base[key], value) if both else value
    return merged


def write_config(edition):
    """Write the edition's whole configuration and return its path."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    overlay = ROOT / f"_config{EDITIONS[edition]}.yml"
    config = merge(config, yaml.safe_load(overlay.read_text(encoding="utf-8")))
    config["sphinx"]["local_extensions"] = {"theme": str(ROOT)}  # it was relative to _config.yml
    path = BUILD / edition / "config.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return path


def forget_old_pages():
    """Delete what was built with other settings: Sphinx looks for changes in the pages only."""
    settings = [*ROOT.glob("_*.yml"), *ROOT.glob("theme/**/*.*"), ROOT / "constraints.txt"]
    files = sorted(path for path in settings if path.is_file() and path.suffix != ".pyc")
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    stamp = BUILD / "settings"
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(BUILD, ignore_errors=True)
        BUILD.mkdir()
        stamp.write_text(digest)


def start(edition):
    """Start Jupyter Book on one edition, warnings as errors, and return the process."""
    options = ["-W", "-n", "--keep-going", "--config", write_config(edition)]
    options += ["--toc", ROOT / f"_toc{EDITIONS[edition]}.yml", "--path-output", BUILD / edition]
    # Not the script jupyter-book: it holds the path that this folder had when it was installed.
    jupyter_book = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command = [*jupyter_book, "build", ROOT / "chapters" / edition, *options]
    arguments = [str(part) for part in command]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )


def finish(edition, process):
    """Wait for one edition, publish it if it has no warning, and return its exit status."""
    log, _ = process.communicate()
    output = BUILD / edition / "_build"
    if process.returncode:
        print(log)
        # Pages that were read do not repeat their warnings.
        shutil.rmtree(output, ignore_errors=True)
        return process.returncode
    shutil.rmtree(SITE / edition, ignore_errors=True)
    shutil.copytree(output / "html", SITE / edition)
    return 0


@command("not built")
def main():
    """Build, join, report; return 1 when an edition has a warning."""
    begin = time.perf_counter()
    forget_old_pages()
    running = {edition: start(edition) for edition in EDITIONS}
    failed = [edition for edition, process in running.items() if finish(edition, process)]
    if failed:
        raise RuntimeError(f"{', '.join(failed)}; the warnings above say why")
    shutil.copytree(ROOT / "theme" / "site", SITE, dirs_exist_ok=True)
    print(f"Built in {time.perf_counter() - begin:.0f} s. Open {SITE / 'index.html'}")


if __name__ == "__main__":
    sys.exit(main())
