"""Run the Japanese notebooks and bring the English ones in line with them.

    python tools/refresh.py                       run and sync every notebook
    python tools/refresh.py architecture          only chapters/*/architecture.ipynb
    python tools/refresh.py --sync-only           copy, but do not run
    python tools/refresh.py --check               change nothing; exit 1 if a sync would

Code cells are edited in chapters/ja only. Each notebook there is run from top to bottom
in a new kernel and stored in place; then its cells replace those of chapters/en, pair by
pair of cell ids. What the English file keeps is what is translated: the markdown, and
the captions, alt texts and checks in the cell metadata. What has no translation yet arrives in
Japanese behind the word UNTRANSLATED, and the test of the editions fails until it is
translated. The one line of code that differs, language.use("ja"), is changed, and of an
output that knows itself in both languages (gpt_helpers/language.py) each edition shows its
own. A notebook that fails leaves both files as they were.
"""

import argparse
import copy
import sys
from pathlib import Path

try:
    import nbformat
    from nbclient import NotebookClient

    from gpt_helpers.commands import command
    from gpt_helpers.files import replace_files
except ModuleNotFoundError as error:
    raise SystemExit(f"{error}; run make .venv/book, then this by .venv/bin/python") from None

CHAPTERS = Path(__file__).resolve().parents[1] / "chapters"
UNTRANSLATED = "UNTRANSLATED "
TRANSLATED_KEYS = ("caption", "alt", "check")
LANGUAGE_LINE = 'language.use("{}")'
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_METADATA = ("tags", "mystnb")


class NotebookError(Exception):
    """A notebook that could not be run; its message names the cell and the error."""


def run(notebook, folder, timeout=600):
    """Run every cell of the notebook, in place, in a new kernel that starts in folder.

    Raises NotebookError with the id of the cell that failed.
    """
    started = []
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        on_cell_start=lambda cell, cell_index: started.append(cell["id"]),
    )
    try:
        client.execute()
    except Exception as error:
        place = f"cell {started[-1]!r}" if started else "the kernel"
        raise NotebookError(f"{place}: {type(error).__name__}: {error}") from error


def strip(notebook):
    """Remove, in place, the metadata that differ from machine to machine and run to run."""
    notebook.metadata = nbformat.from_dict(copy.deepcopy(NOTEBOOK_METADATA))
    for cell in notebook.cells:
        kept = {key: cell.metadata[key] for key in CELL_METADATA if cell.metadata.get(key)}
        cell.metadata = nbformat.from_dict(kept)


def translated(source, target):
    """Return the metadata source with what is translated of target in place of its own."""
    if not isinstance(source, dict):
        return copy.deepcopy(source)
    result = {}
    for key, value in source.items():
        other = target.get(key) if isinstance(target, dict) else None
        if key in TRANSLATED_KEYS:
            result[key] = other or UNTRANSLATED + value
        else:
            result[key] = translated(value, other)
    return result


def paired_cell(source, target):
    """Return the English cell for the Japanese cell source; target is the one so far, or None."""
    cell = copy.deepcopy(source)
    cell.metadata = nbformat.from_dict(translated(source.metadata, target and target.metadata))
    if cell.cell_type == "markdown":
        cell.source = target.source if target else UNTRANSLATED + source.source
    else:
        cell.source = source.source.replace(*map(LANGUAGE_LINE.format, ("ja", "en")))
        for output in cell.outputs:
            speak_english(output)
    return cell


def speak_english(output):
    """Replace, in place, the data of an output of which the metadata hold the English words."""
    for kind in list(output.get("metadata", {})):
        if kind in output.get("data", {}) and "en" in output.metadata[kind]:
            output.data[kind] = output.metadata.pop(kind)["en"]


def synced(japanese, english):
    """Return the English notebook: the Japanese one with the translations that english holds."""
    kept = {(cell["id"], cell.cell_type): cell for cell in english.cells}
    result = copy.deepcopy(japanese)
    result.cells = [
        paired_cell(cell, kept.get((cell["id"], cell.cell_type))) for cell in japanese.cells
    ]
    return result


def refreshed(path, english_path, execute=True):
    """Return {path: new text} of the Japanese notebook at path and of its English twin."""
    japanese = nbformat.read(path, as_version=4)
    if execute:
        run(japanese, path.parent)
    strip(japanese)
    exists = english_path.exists()
    english = nbformat.read(english_path, 4) if exists else nbformat.v4.new_notebook()
    notebooks = {path: japanese, english_path: synced(japanese, english)}
    return {place: nbformat.writes(notebook) + "\n" for place, notebook in notebooks.items()}


def chosen(names, folder):
    """Return the notebooks of the names given, in any spelling with or without .ipynb, or all.

    Raises SystemExit for a name without a notebook.
    """
    paths = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    stems = [Path(name).stem for name in names] or list(paths)
    unknown = [stem for stem in stems if stem not in paths]
    if unknown or not paths:
        raise SystemExit(f"no such notebook in {folder}: {', '.join(unknown or ['*.ipynb'])}")
    return [paths[stem] for stem in stems]


def parse(arguments):
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="notebooks; all if none is named")
    parser.add_argument("--sync-only", action="store_true", help="copy, but do not run")
    parser.add_argument("--check", action="store_true", help="exit 1 if a sync would change a file")
    parser.add_argument("--chapters", type=Path, default=CHAPTERS, help="folder of ja and en")
    return parser.parse_args(arguments)


@command("not refreshed", "interrupted; a notebook that was running is as before")
def main(arguments=None):
    """Refresh or check the notebooks that the command line names; return the exit status."""
    options = parse(arguments)
    status = 0
    for path in chosen(options.names, options.chapters / "ja"):
        english_path = options.chapters / "en" / path.name
        execute = not (options.sync_only or options.check)
        try:
            texts = refreshed(path, english_path, execute)
        except NotebookError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            status = 1
            continue
        stale = {p: t for p, t in texts.items() if not p.exists() or p.read_text("utf-8") != t}
        if options.check:
            status = status or int(bool(stale))
        else:
            replace_files({path: text.encode() for path, text in stale.items()})
        changes = ", ".join(f"{p.parent.name}/{p.name}" for p in stale) or "nothing"
        print(f"{path.name}: {'would change' if options.check else 'changed'} {changes}")
    return status


if __name__ == "__main__":
    sys.exit(main())
