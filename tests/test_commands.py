"""Every command ends with a status, and with a sentence where it fails."""

import ast
import os
import re
import resource
import signal
import subprocess
import sys
from argparse import ArgumentTypeError

import pytest

from gpt_helpers import commands
from gpt_helpers.commands import command
from tests.helpers.book import ROOT

FOLDERS = ("gpt_helpers", "tools", "benchmarks")
PROGRAM = """
import os, sys, time
from pathlib import Path
from gpt_helpers.commands import command
from gpt_helpers.files import replace_files

@command("not done", "interrupted; do it again")
def main():
    {body}

sys.exit(main())
"""


def start(body, **options):
    """Start a program whose main has this body, with what it writes as text."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=body)],
        text=True, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def programs():
    """Return {path: syntax tree} of the modules that can be run."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    sources = {path: path.read_text("utf-8") for path in paths}
    return {path: ast.parse(s) for path, s in sources.items() if '__name__ == "__main__"' in s}


def test_every_program_is_a_command_and_passes_its_status_on():
    assert len(programs()) > 13
    for path, tree in programs().items():
        (main,) = [node for node in tree.body if getattr(node, "name", "") == "main"]
        assert [ast.unparse(d).partition("(")[0] for d in main.decorator_list] == ["command"], path
        assert ast.unparse(tree.body[-1].body) == "sys.exit(main())", path


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x=0 must be 1"),
        OSError(28, "No space left on device"),
        PermissionError(13, "Permission denied", "folder"),
        RuntimeError("it is broken\nException raised from f at x.cpp:1\nframe #0: 0x1"),
        FloatingPointError("the loss is nan"),
        ModuleNotFoundError("No module named 'x'"),
        subprocess.CalledProcessError(1, "git"),
        MemoryError(),
        EOFError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_fails_ends_with_1_and_a_sentence(error, capsys):
    @command("not done")
    def main():
        raise error

    assert main() == 1
    said = capsys.readouterr().err
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    assert said == f"not done: {first}\n"


def test_a_fault_of_the_code_shows_its_traceback():
    @command("not done")
    def main():
        return None.x

    with pytest.raises(AttributeError):
        main()


def test_a_status_and_arguments_are_passed_on():
    assert command("not done")(lambda status=None: status)(3) == 3
    assert command("not done")(lambda: None)() == 0


def test_a_closed_pipe_ends_a_command_in_silence():
    for body in ("for _ in range(99999): print('x' * 99)", "time.sleep(1); print('x')"):
        process = start(body, stdout=subprocess.PIPE)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's full device")
def test_a_full_disk_under_the_output_is_said():
    with open("/dev/full", "w") as full:
        process = start("print('x')", stdout=full)
        assert process.communicate()[1] == "not done: [Errno 28] No space left on device\n"
    assert process.returncode == 1


def test_ctrl_c_ends_a_command_with_130_and_a_word():
    process = start("print('on', flush=True); time.sleep(60)", stdout=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate()[1] == "interrupted; do it again\n"
    assert process.returncode == 130


def test_ctrl_c_while_torch_is_loaded_ends_a_command_of_the_package_with_a_word():
    command = [sys.executable, "-X", "importtime", "-m", "gpt_helpers.training", "--help"]
    process = subprocess.Popen(
        command, text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    while "torch." not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    assert said.endswith("interrupted\n")
    assert "Traceback" not in said
    assert process.returncode == -signal.SIGINT  # 130 to a shell


@pytest.mark.parametrize("path", programs(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_program_says_in_a_line_which_package_is_missing_and_what_to_run(path):
    name = str(path.relative_to(ROOT).with_suffix("")).replace(os.sep, ".")
    how = [path] if path.parent.name == "tools" else ["-m", name.removesuffix(".__main__")]
    bare = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-S", *how, "--help"]  # -S: without any package
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=bare)
    said = r"(No module named '\w+'|not measured: the peers are in tests/requirements.txt); .*"
    assert re.fullmatch(said + "(make|pip install) .*\n", done.stderr)
    assert done.returncode == 1


def test_a_missing_module_of_the_package_is_a_fault_that_shows_its_traceback(monkeypatch, capsys):
    monkeypatch.setattr(sys, "excepthook", lambda *error: print("traceback"))
    commands.say_why_imports_end()
    for name, wanted in (("gpt_helpers.x", ("traceback\n", "")), ("x", ("", "install it"))):
        error = ModuleNotFoundError(f"No module named {name!r}")
        sys.excepthook(type(error), error, None)
        said = capsys.readouterr()
        assert said.out == wanted[0]
        assert wanted[1] in said.err


def small_files():
    """Let no file of this process become larger than 100 kB, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_file_for_which_there_is_no_room_leaves_the_old_one_and_nothing_else(tmp_path):
    (tmp_path / "file").write_text("old")
    contents = "{Path('a'): b'a', Path('file'): b'new' * 99_999}"
    body = f"os.chdir({str(tmp_path)!r}); replace_files({contents})"
    process = start(body, preexec_fn=small_files)
    assert process.communicate()[1] == "not done: [Errno 27] File too large\n"
    assert process.returncode == 1
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "", "9" * 20])
def test_counts_on_a_command_line_are_positive_integers(text):
    with pytest.raises(ArgumentTypeError, match="must be a positive integer"):
        commands.positive(text)
    assert commands.positive("2") == 2
    assert commands.zero_or_positive("0") == 0
    with pytest.raises(ArgumentTypeError, match="must be 0 or a positive"):
        commands.zero_or_positive("-1")


def test_the_file_to_write_is_looked_at_before_the_work(tmp_path):
    assert commands.new_file(tmp_path / "new" / "table.csv").parent.is_dir()
    with pytest.raises(ArgumentTypeError, match="cannot be written"):
        commands.new_file(tmp_path / "new")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        commands.new_file(tmp_path / "file" / "table.csv")
