"""A sealed file comes back as it was written, or not at all."""

import builtins
import hashlib
import json
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from gpt_helpers import files
from gpt_helpers.weights.sealed import OPEN_SEAL, copy_tensors, read_sealed, write_sealed
from tests.helpers.foreign import foreign_texts
from tests.helpers.misuse import outcome
from tests.helpers.reference import refused

FACTS = {
    "text": "注意\n\"'\\",
    "numbers": [0.1, 1e-300, 2**60, -1],
    "none": None,
    "deep": {"a": []},
}
DTYPES = (
    torch.float32, torch.float16, torch.bfloat16, torch.float64,
    torch.int64, torch.int32, torch.uint8, torch.bool,
)  # fmt: skip


def some_tensors():
    """Return tensors of every kind that a checkpoint may hold."""
    values = torch.linspace(-3, 3, 24).view(4, 6)
    tensors = {str(dtype): values.to(dtype) for dtype in DTYPES}
    return tensors | {
        "one number": torch.tensor(3.5),
        "nothing": torch.zeros(0, 5),
        "transposed": values.T,
        "part": values[1:3, ::2],
        "parameter": torch.nn.Parameter(values * 2),
        "not finite": torch.tensor([torch.nan, torch.inf, -torch.inf, -0.0]),
    }


@pytest.fixture
def path(tmp_path):
    """Return the path of a sealed file."""
    write_sealed(tmp_path / "sealed", {"a": torch.arange(40.0), "b": torch.ones(3, 5)}, FACTS)
    return tmp_path / "sealed"


def test_what_is_written_is_read_bit_for_bit(tmp_path):
    path = tmp_path / "new" / "folder" / "sealed"
    write_sealed(str(path), some_tensors(), FACTS)
    tensors, facts = read_sealed(str(path))
    assert facts == FACTS
    assert tensors.keys() == some_tensors().keys()
    for name, expected in some_tensors().items():
        assert tensors[name].dtype == expected.dtype
        assert tensors[name].shape == expected.shape
        assert bits(tensors[name]) == bits(expected)
    assert not tensors["parameter"].requires_grad
    assert [file.name for file in path.parent.iterdir()] == ["sealed"]


def bits(tensor):
    """Return the bytes of a tensor's numbers, in order."""
    return tensor.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes()


VALUES = st.none() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(st.dictionaries(st.text(), VALUES))
def test_facts_that_json_can_hold_come_back(tmp_path_factory, facts):
    path = tmp_path_factory.getbasetemp() / "facts"
    write_sealed(path, {"x": torch.ones(2)}, facts)
    assert read_sealed(path)[1] == facts


@pytest.mark.parametrize("text", ["0" * 64, '"sha256":"' + "0" * 64 + '"', "0" * 200], ids=len)
def test_text_that_looks_like_an_open_seal_is_only_text(tmp_path, text):
    for _ in range(9):  # the format writes the metadata in any order
        write_sealed(tmp_path / "sealed", {text: torch.ones(2)}, {text: text})
        tensors, facts = read_sealed(tmp_path / "sealed")
        assert facts == {text: text}
        assert list(tensors) == [text]


def test_the_tensors_have_one_order_in_every_process(tmp_path):
    names = [f"n{number}" for number in range(10)]
    write_sealed(tmp_path / "sealed", {name: torch.ones(2) for name in names[::-1]}, {})
    for _ in range(3):
        assert list(read_sealed(tmp_path / "sealed")[0]) == names


def test_a_file_can_hold_facts_only(tmp_path):
    write_sealed(tmp_path / "sealed", {}, FACTS)
    assert read_sealed(tmp_path / "sealed") == ({}, FACTS)


def test_a_file_that_was_cut_short_is_refused_at_any_place(path):
    data = path.read_bytes()
    places = np.linspace(0, len(data) - 1, 20).astype(int)
    assert len(set(places)) == 20
    for place in places:
        path.write_bytes(data[:place])
        refused("is no sealed file|cut short|was altered", read_sealed, path)
    path.write_bytes(data[:-1])
    refused(
        f"has {len(data) - 1} of {len(data)} bytes: cut short; copy it again", read_sealed, path
    )
    path.write_bytes(data)
    assert read_sealed(path)[1] == FACTS


def test_a_flipped_bit_is_refused_wherever_it_is(path):
    data, rng = path.read_bytes(), np.random.default_rng(0)
    header = 8 + int.from_bytes(data[:8], "little")
    parts = {"length": (0, 8), "header": (8, header), "data": (header, len(data))}
    for name, (start, end) in parts.items():
        for place in rng.integers(start, end, 20):
            flipped = bytearray(data)
            flipped[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(flipped)
            message = "was altered" if name == "data" else "no sealed file|cut short|was altered"
            refused(message, read_sealed, path)


def test_every_bit_of_the_seal_and_of_the_facts_counts(path):
    data = path.read_bytes()
    for text in (b'"sha256":"', b'"facts":"', b'"data_offsets":['):
        place = data.index(text) + len(text)
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            path.write_bytes(flipped)
            refused("no sealed file|cut short|was altered", read_sealed, path)


def test_bytes_that_were_added_are_refused(path):
    path.write_bytes(path.read_bytes() + b"\0")
    refused("was altered", read_sealed, path)


def other_files(path):
    """Write files of other formats to path, one after the other, and yield their names."""
    tensors = {"a": torch.ones(3)}
    torch.save(tensors, path)
    yield "torch.save"
    with open(path, "wb") as file:
        np.savez(file, a=np.ones(3))
    yield "npz"
    path.write_bytes(pickle.dumps(tensors))
    yield "pickle"
    path.write_bytes(b"")
    yield "empty"
    path.write_text("This is a text.\n" * 20, "utf-8")
    yield "text"
    path.write_text("{}", "utf-8")
    yield "json"
    save_file(tensors, path)
    yield "safetensors without metadata"
    save_file(tensors, path, {"format": "pt"})
    yield "safetensors without a seal"
    save_file(tensors, path, {"sha256": "0" * 64})
    yield "safetensors without facts"
    path.write_bytes(np.random.default_rng(0).bytes(500))
    yield "noise"


def test_files_of_another_format_are_refused(tmp_path):
    path = tmp_path / "file"
    message, names = r"is no sealed file \(\d+ bytes that begin with b.*another format", []
    for name in other_files(path):
        refused(message, read_sealed, path)
        names.append(name)
    assert len(names) == 10


def test_headers_of_any_shape_are_refused_by_a_sentence_that_names_the_file(path):
    write_sealed(path, {"a": torch.ones(3)}, {"b": 1})
    data = path.read_bytes()
    length = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:length])
    for text in foreign_texts(header):
        for seal in ("0" * 64, None):
            new = with_header(text, data[length:], header["__metadata__"]["sha256"], seal)
            path.write_bytes(new)
            error = outcome(read_sealed, {"path": path})
            assert (error is None and seal is None) or type(error) is ValueError, text[:99]
            assert error is None or str(path) in str(error)


def with_header(text, tensors, old_seal, seal=None):
    """Return a file with this header, its seal the one given, or a right one."""
    data = text.replace('": "', '":"').encode()  # as the format writes it
    data = len(data).to_bytes(8, "little") + data + tensors
    opened = data.replace(old_seal.encode(), OPEN_SEAL.encode())
    seal = seal or hashlib.sha256(opened).hexdigest()
    return opened.replace(OPEN_SEAL.encode(), seal.encode())


def test_a_foreign_seal_is_refused(tmp_path):
    path = tmp_path / "file"
    save_file({"a": torch.ones(3)}, path, {"sha256": "1" * 64, "facts": "{}"})
    refused("was altered", read_sealed, path)


def test_what_is_no_file_is_refused(tmp_path):
    refused("none' is not a file; check the path", read_sealed, tmp_path / "none")
    refused("is not a file; check the path", read_sealed, tmp_path)


def test_loading_never_unpickles(path, monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError("unpickled")

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler")):
        monkeypatch.setattr(module, name, fail)
    monkeypatch.setattr(torch, "load", fail)
    monkeypatch.setattr(np, "load", fail)
    assert read_sealed(path)[1] == FACTS
    torch.save({"a": torch.ones(3)}, path)
    refused("is no sealed file", read_sealed, path)


class FullDisk:
    """A file that takes some bytes and then no more."""

    def __init__(self, path, mode):
        """Open the file."""
        self.file = builtins.open(path, mode)  # noqa: SIM115

    def __enter__(self):
        """Open."""
        return self

    def __exit__(self, *error):
        """Close."""
        self.file.close()

    def write(self, data):
        """Write a half and fail."""
        self.file.write(data[: len(data) // 2])
        raise OSError("no space left on device")


def break_write(monkeypatch):
    """Make the disk full."""
    monkeypatch.setattr(files, "open", FullDisk, raising=False)


def break_flush(monkeypatch):
    """Make the flush to the disk fail."""

    def fail(file):
        raise OSError("input/output error")

    monkeypatch.setattr(os, "fsync", fail)


def break_rename(monkeypatch):
    """Stop the program just before the file gets its name."""

    def stop(*paths):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)


@pytest.mark.parametrize("fault", [break_write, break_flush, break_rename])
def test_a_write_that_is_interrupted_leaves_the_old_file(path, monkeypatch, fault):
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        fault(patch)
        with pytest.raises((OSError, KeyboardInterrupt)):
            write_sealed(path, {"a": torch.zeros(9)}, {})
    assert path.read_bytes() == before
    assert {file.name for file in path.parent.iterdir()} <= {"sealed", "sealed.partial"}
    write_sealed(path, {"a": torch.zeros(9)}, {})
    assert read_sealed(path)[1] == {}
    assert [file.name for file in path.parent.iterdir()] == ["sealed"]


def test_the_bytes_are_on_the_disk_before_the_file_gets_its_name(path, monkeypatch):
    events, replace = [], os.replace
    monkeypatch.setattr(os, "fsync", lambda number: events.append(os.fstat(number).st_size))
    monkeypatch.setattr(os, "replace", lambda *paths: events.append("rename") or replace(*paths))
    write_sealed(path, {"a": torch.zeros(9)}, {})
    assert events == [path.stat().st_size, "rename"]


def test_writers_of_one_file_at_once_never_show_a_mixture_nor_take_each_others_file(path):
    def work(number):
        write_sealed(path, {"a": torch.full((9_999,), float(number))}, {"number": number})
        tensors, facts = read_sealed(path)
        return tensors["a"].unique().tolist() == [facts["number"]]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(100)))
    assert [file.name for file in path.parent.iterdir()] == ["sealed"]


LOOP = {}
LOOP["loop"] = LOOP


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"a": torch.ones(1)}, "cannot be written: Object of type Tensor is not JSON"),
        ({"a": {1, 2}}, "cannot be written: Object of type set"),
        ({"a": b"bytes"}, "cannot be written: Object of type bytes"),
        ({(1, 2): 3}, "cannot be written: keys must be str"),
        (LOOP, "cannot be written: Circular reference"),
        (None, "facts=None must be a dict that JSON can hold"),
        ([1], r"facts=\[1\] must be a dict"),
    ],
    ids=range(7),
)
def test_facts_that_json_cannot_hold_are_refused_and_nothing_is_written(path, facts, message):
    before = path.read_bytes()
    refused(message, write_sealed, path, {"a": torch.zeros(9)}, facts)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


SHARED = torch.ones(4)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (None, "tensors=None must be a dict of tensors by name"),
        ([SHARED], "tensors=.* must be a dict of tensors by name"),
        ({"a": [1.0]}, "must be a dict of tensors by name"),
        ({"a": np.ones(2)}, "must be a dict of tensors by name"),
        ({1: SHARED}, "must be a dict of tensors by name"),
        ({"a": SHARED, "b": SHARED}, "cannot be written: (.|\n)*share memory"),
        ({"a": torch.ones(2, device="meta")}, "cannot be written: .*meta"),
    ],
    ids=range(7),
)
def test_what_the_format_cannot_hold_is_refused(path, tensors, message):
    before = path.read_bytes()
    refused(message, write_sealed, path, tensors, {})
    assert path.read_bytes() == before


def test_tensors_are_copied_into_those_of_the_same_names():
    targets = {"a": torch.zeros(2, requires_grad=True), "b": torch.zeros(3).half()}
    copy_tensors(targets, {"b": torch.ones(3), "a": torch.tensor([4.0, 5.0])}, "the file")
    assert targets["a"].tolist() == [4, 5]
    assert targets["a"].requires_grad
    assert targets["b"].dtype == torch.float16
    assert targets["b"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"a": torch.ones(2)}, r"the file is of another model: it lacks \['b'\] and has \[\]"),
        ({"a": torch.ones(2), "c": torch.ones(3)}, r"it lacks \['b'\] and has \['c'\]"),
        ({"a": torch.ones(2), "b": torch.ones(1)}, r"b is \(1,\), not \(3,\)"),
        ({"a": torch.ones(1, 2), "b": torch.ones(3)}, r"a is \(1, 2\), not \(2,\)"),
    ],
)
def test_tensors_of_another_model_are_refused_before_any_is_copied(tensors, message):
    targets = {"a": torch.zeros(2), "b": torch.zeros(3)}
    refused(message, copy_tensors, targets, tensors, "the file")
    assert not any(target.any() for target in targets.values())
