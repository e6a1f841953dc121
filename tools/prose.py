"""Write the Japanese prose of the chapters as plain text, for tokenizers to learn from.

    python tools/prose.py     write gpt_helpers/text/japanese anew

What is there is kept as it was when the numbers of the book were measured: write it anew only
together with them.
"""

import argparse
import json
import re
import sys
from pathlib import Path

try:
    from gpt_helpers.commands import command
    from gpt_helpers.files import replace_files
except ModuleNotFoundError as error:
    raise SystemExit(f"{error}; run make .venv/book, then this by .venv/bin/python") from None

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "gpt_helpers/text/japanese"
PAGES = (
    "applications", "architecture", "index", "optimization", "scaling_laws", "summary", "training",
    "variants",
)  # fmt: skip
MARKUP = (
    (r"(?ms)^(`{3,}|:{3,}).*?^\1$", ""),  # listings, boxes, panels
    (r"(?s)\$\$.*?\$\$", ""),
    (r" ?\{cite\}`[^`]*` ?", ""),
    (r"\[([^\]]*)\]\([^)]*\)", r"\1"),  # links
    (r"(?m)^\([\w-]+\)=$|^#+ .*$|^[-*] |^\d+\. |\*\*", ""),
    (r"[^。\n]*[`$|{][^。\n]*。?", ""),  # sentences that hold code, formulas, references, tables
)
JAPANESE = re.compile("[ぁ-んァ-ヶ一-龠]")


def prose_of(notebook):
    """Return the sentences of a notebook's Markdown cells, a paragraph a line, without markup."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    text = "\n".join("".join(cell["source"]) for cell in cells)
    for pattern, kept in MARKUP:
        text = re.sub(pattern, kept, text)
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if JAPANESE.search(line))


@command("not written")
def main(arguments=None):
    """Write a text file for each page, each line to the first page that has it."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    seen, texts = set(), {}
    for page in PAGES:
        notebook = json.loads((ROOT / f"chapters/ja/{page}.ipynb").read_text(encoding="utf-8"))
        lines = prose_of(notebook).splitlines(keepends=True)
        new = (line for line in dict.fromkeys(lines) if line not in seen)
        texts[FOLDER / f"{page}.txt"] = "".join(new).encode()
        seen.update(lines)
    replace_files(texts)


if __name__ == "__main__":
    sys.exit(main())
