"""A folder of Hugging Face's files: found, fetched, refused where damaged, written whole."""

import json
import os
import random
import sys

import pytest
import torch

from gpt_helpers.text.tokenizer import train_tokenizer
from gpt_helpers.weights import hub
from gpt_helpers.weights.gpt2_format import gpt2_settings
from gpt_helpers.weights.hub import fetch_folder, find_folder, read_tokenizer
from gpt_helpers.weights.pretrained import load_gpt2, save_gpt2
from tests.helpers.reference import SMALL, random_model, refused
from tests.helpers.runs import are_equal, weights_of

MODEL = random_model(std=0.1)
NAMES = ["config.json", "model.safetensors"]


@pytest.fixture
def folder(tmp_path):
    """Return the folder of a model."""
    save_gpt2(tmp_path / "gpt2", MODEL)
    return tmp_path / "gpt2"


@pytest.fixture
def weights(folder):
    """Return the path of the weights in the folder."""
    return folder / "model.safetensors"


def header_bytes(data):
    """Return the number of bytes of a safetensors file before its numbers."""
    return 8 + int.from_bytes(data[:8], "little")


def test_the_folder_its_name_and_the_file_of_weights_are_the_same_model(folder, weights):
    for place in (folder, str(folder), weights, str(weights)):
        assert are_equal(weights_of(load_gpt2(place)[0]), weights_of(MODEL))


def test_a_file_cut_short_anywhere_is_refused(weights):
    data = weights.read_bytes()
    places = [*range(0, len(data), len(data) // 20), header_bytes(data), len(data) - 1]
    assert len(places) >= 20
    for length in places:
        weights.write_bytes(data[:length])
        refused("model.safetensors is damaged or cut short", load_gpt2, weights)
    weights.write_bytes(data + b"\0")
    refused("is damaged or cut short", load_gpt2, weights)


def test_an_altered_byte_of_the_header_is_refused_or_changes_nothing(tmp_path):
    model = random_model(n_layer=1, n_embd=8, n_head=2)
    save_gpt2(tmp_path, model)
    weights, draw = tmp_path / "model.safetensors", random.Random(0)
    data, n_refused = weights.read_bytes(), 0
    places = [*range(8), *draw.sample(range(8, header_bytes(data)), 400)]
    for place in places:
        altered = bytearray(data)
        altered[place] ^= draw.choice([1, 2, 4, 8, 16, 32, 64, 128, draw.randrange(1, 256)])
        weights.write_bytes(altered)
        try:
            found = load_gpt2(weights)[0]
        except ValueError:
            n_refused += 1
        else:
            assert are_equal(weights_of(found), weights_of(model))
    assert n_refused > 0.9 * len(places)


def test_other_files_in_the_place_of_weights_are_refused(weights):
    for other in (b"", b"{}", b"\xff" * 100, b"version https://git-lfs.github.com/spec/v1\n"):
        weights.write_bytes(other)
        refused("model.safetensors is damaged or cut short", load_gpt2, weights)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_missing_is_named_with_what_is_there(folder, name):
    (folder / name).rename(folder / "pytorch_model.bin")
    message = rf"{name} is missing; the folder holds \[.*'pytorch_model.bin'\]"
    refused(message, load_gpt2, folder)


def test_settings_that_are_no_json_are_refused(folder):
    settings = (folder / "config.json").read_bytes()
    for damaged in (b"", settings[:-5], b"\xff" + settings, b"<html>"):
        (folder / "config.json").write_bytes(damaged)
        refused(r"config.json is damaged \(.*\); copy it again", load_gpt2, folder)
    (folder / "config.json").write_bytes(b"[1]")
    refused(r"holds \[1\], no settings", load_gpt2, folder)


def test_a_damaged_tokenizer_is_refused_and_none_is_none(folder):
    assert read_tokenizer(folder) is None
    tokenizer = train_tokenizer(["注意は自己注意である。"], 270)
    for damaged in ("", "{}", tokenizer.to_str()[:-9]):
        (folder / "tokenizer.json").write_text(damaged, encoding="utf-8")
        refused("tokenizer.json holds no tokenizer", load_gpt2, folder)


def test_pickles_are_never_opened(folder, weights):
    (folder / "pytorch_model.bin").write_bytes(b"not read")
    load_gpt2(folder)
    torch.save(MODEL.state_dict(), weights)
    refused("is damaged or cut short", load_gpt2, weights)
    torch.save(MODEL.state_dict(), folder / "model.pt")
    refused("model.pt is not named model.safetensors", load_gpt2, folder / "model.pt")


@pytest.mark.parametrize("wrong", ["", "no/such/folder", "/none", "./gpt2", "a b", "x/../y", "~/g"])
def test_what_is_neither_a_path_nor_a_name_is_refused(wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "fetch_folder", lambda name: pytest.fail(f"{name} is fetched"))
    if wrong == "":
        refused("config.json is missing", load_gpt2, wrong)  # the empty path is where we are
    else:
        refused("is neither a file nor a folder; check the path", load_gpt2, wrong)
    for other in (None, 3, b"gpt2", MODEL):
        refused("must be a path, or a name on the hub", load_gpt2, other)


def test_a_name_is_fetched_once_with_the_three_files_that_are_read(folder, monkeypatch):
    import huggingface_hub

    calls = []

    def snapshot_download(name, allow_patterns):
        calls.append((name, sorted(allow_patterns)))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert are_equal(weights_of(load_gpt2("some-one/gpt2.x_y")[0]), weights_of(MODEL))
    assert calls == [("some-one/gpt2.x_y", [*NAMES, "tokenizer.json"])]
    assert find_folder("gpt2") == folder


def test_a_folder_here_comes_before_a_name(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr(hub, "fetch_folder", lambda name: pytest.fail(f"{name} is fetched"))
    assert are_equal(weights_of(load_gpt2("gpt2")[0]), weights_of(MODEL))


def test_without_a_network_the_error_says_what_to_do(monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def fail(name, allow_patterns):
        raise LocalEntryNotFoundError("no address\nand a long story")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(ConnectionError) as caught:
        fetch_folder("gpt2")
    assert str(caught.value) == (
        "gpt2 is no path here, and cannot be fetched from huggingface.co"
        " (LocalEntryNotFoundError: no address); without a network, give the folder of a model"
    )


def test_without_the_library_the_error_says_what_to_install(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConnectionError, match="pip install huggingface_hub"):
        load_gpt2("gpt2")
    load_gpt2(folder)  # which needs no library


class StoppedError(Exception):
    """What stops a write."""


@pytest.mark.parametrize("n_renamed", [0, 1])
def test_a_write_that_is_interrupted_leaves_no_mixture_of_two_models(
    folder, n_renamed, monkeypatch
):
    other, replace, renamed = random_model(n_head=2, seed=1, std=0.1), os.replace, []

    def stop_later(*paths):
        if len(renamed) == n_renamed:
            raise StoppedError
        renamed.append(paths)
        replace(*paths)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop_later)
        with pytest.raises(StoppedError):
            save_gpt2(folder, other)
    refused("config.json is missing", load_gpt2, folder)
    save_gpt2(folder, other)
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    assert load_gpt2(folder)[0].config == other.config


def test_weights_that_cannot_be_written_leave_the_old_model(folder, monkeypatch):
    def fail(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr(hub, "save_file", fail)
    with pytest.raises(OSError, match="no space"):
        save_gpt2(folder, random_model(seed=1))
    assert are_equal(weights_of(load_gpt2(folder)[0]), weights_of(MODEL))


def test_folders_are_made_and_settings_are_plain_json(tmp_path):
    save_gpt2(tmp_path / "new" / "folder", MODEL)
    text = (tmp_path / "new" / "folder" / "config.json").read_text("utf-8")
    assert json.loads(text) == gpt2_settings(SMALL)
    assert text.endswith("}\n")
