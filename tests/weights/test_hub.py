"""A folder of Hugging Face's files: found, fetched, refused where damaged, written whole."""

import json
import os
import random
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import load_file, save_file

from gpt_helpers.text.tokenizer import merges_of, train_tokenizer
from gpt_helpers.weights import hub
from gpt_helpers.weights.gpt2_format import gpt2_settings
from gpt_helpers.weights.hub import fetch_folder, read_tokenizer
from gpt_helpers.weights.pretrained import load_gpt2, save_gpt2
from tests.helpers.foreign import foreign_texts
from tests.helpers.misuse import outcome
from tests.helpers.reference import SMALL, hugging_face, random_model, refused
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
    (folder / name).rename(folder / "other.bin")
    message = rf"{name} is missing; copy it there. The folder holds \[.*'other.bin'\]"
    refused(message, load_gpt2, folder)


@pytest.mark.parametrize("name", [*NAMES, "tokenizer.json", "vocab.json"])
def test_a_folder_or_a_link_to_nothing_in_the_place_of_a_file_is_told(folder, name):
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(folder / "nowhere")
    refused(rf"{name} is a link to nothing; copy it there", load_gpt2, folder)
    (folder / name).unlink()
    (folder / name).mkdir()
    refused(rf"{name} is a folder; copy it there", load_gpt2, folder)


def test_links_to_files_and_hidden_folders_are_read(folder, tmp_path):
    for place in (tmp_path / ".hidden", tmp_path / "a.b.safetensors"):
        place.mkdir()
        for file in folder.iterdir():
            (place / file.name).symlink_to(file)
        assert are_equal(weights_of(load_gpt2(place)[0]), weights_of(MODEL))
    (tmp_path / "link").symlink_to(folder)
    assert are_equal(weights_of(load_gpt2(tmp_path / "link")[0]), weights_of(MODEL))


def test_settings_that_are_no_json_are_refused(folder):
    settings = (folder / "config.json").read_bytes()
    for damaged in (b"", settings[:-5], b"\xff" + settings, b"<html>"):
        (folder / "config.json").write_bytes(damaged)
        refused(r"config.json is damaged \(.*\); copy it again", load_gpt2, folder)
    (folder / "config.json").write_bytes(b"[1]")
    refused(r"holds \[1\], no settings", load_gpt2, folder)


def test_json_of_any_shape_is_read_or_refused_by_a_sentence_that_names_its_file(tmp_path):
    tokenizer = train_tokenizer(["def f(x):\n    return x"], 259)
    small = random_model(n_layer=1, n_embd=8, n_head=2, vocab_size=259)
    save_gpt2(tmp_path, small, tokenizer)
    tokenizer.model.save(str(tmp_path))
    index = split(tmp_path, ".safetensors")[0].name
    shutil.copytree(tmp_path, tmp_path / "older")
    (tmp_path / "older" / "tokenizer.json").unlink()
    named = {
        "config.json": "config.json|its settings say|of another model: .* is .*, not",
        "tokenizer.json": "tokenizer.json|tokenizer has .* they are no pair",
        "older/vocab.json": "vocab.json|tokenizer has .* they are no pair",
        "older/merges.txt": "merges.txt",
        index: re.escape(index) + "|damaged or cut short|is missing",
    }
    for name, message in named.items():
        path, n_refused = tmp_path / name, 0
        text = path.read_text("utf-8")
        content = json.loads(text) if path.suffix == ".json" else [1]
        for other in foreign_texts(content, 30 if name == "config.json" else 2):
            path.write_text(other, "utf-8")
            error = outcome(load_gpt2, {"path_or_name": path.parent})
            assert type(error) in (ValueError, type(None)), other[:99]
            assert error is None or re.search(message, str(error)), other[:99]
            n_refused += error is not None
        path.write_text(text, "utf-8")
        load_gpt2(path.parent)
        assert n_refused > 20


def test_what_else_told_of_an_older_model_is_gone(folder):
    others = [*hub.STALE, "README.md", "notes.safetensors"]
    for name in others:
        (folder / name).write_bytes(b"of an older model")
    save_gpt2(folder, OTHER)
    assert sorted(file.name for file in folder.iterdir()) == sorted([*NAMES, *others[-2:]])
    (folder / "model.safetensors.index.json").mkdir()
    refused("model.safetensors.index.json is a folder; move it away", save_gpt2, folder, OTHER)


def test_a_damaged_tokenizer_is_refused_and_none_is_none(folder):
    assert read_tokenizer(folder) is None
    tokenizer = train_tokenizer(["注意は自己注意である。"], 270)
    for damaged in ("", "{}", tokenizer.to_str()[:-9]):
        (folder / "tokenizer.json").write_text(damaged, encoding="utf-8")
        refused("tokenizer.json holds no tokenizer", load_gpt2, folder)


def test_an_older_form_of_a_tokenizer_is_read_and_half_of_it_is_refused(tmp_path):
    from transformers import GPT2Tokenizer

    tokenizer = train_tokenizer(["def f(x):\n    return x\n注意は自己注意である。" * 9], 290)
    save_gpt2(tmp_path, random_model(vocab_size=290))
    tokenizer.model.save(str(tmp_path))
    found = load_gpt2(tmp_path)[1]
    theirs = GPT2Tokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    for text in ("return  x\n", " 注意 ", "a<|endoftext|>b", "ＦＵＬＬ　ｗｉｄｔｈ\r\n\x00"):
        assert found.encode(text).ids == tokenizer.encode(text).ids == theirs.encode(text)
        assert found.decode(found.encode(text).ids, skip_special_tokens=False) == text
    (tmp_path / "merges.txt").unlink()
    refused("merges.txt is missing; copy it there", load_gpt2, tmp_path)


def test_a_tokenizer_that_cuts_or_fills_up_texts_does_so_no_more(folder):
    tokenizer = train_tokenizer(["a"], 257)
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(folder / "tokenizer.json"))
    assert len(read_tokenizer(folder).encode("abcd" * 9).ids) == 36


def split(folder, suffix):
    """Store the weights of a folder in three parts with an index, as .safetensors or .bin."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    stem = "model" if suffix == ".safetensors" else "pytorch_model"
    places = {
        name: f"{stem}-0000{number % 3 + 1}-of-00003{suffix}"
        for number, name in enumerate(sorted(tensors))
    }
    for part in set(places.values()):
        held = {name: tensors[name] for name in tensors if places[name] == part}
        if suffix == ".bin":
            torch.save(held, folder / part)
        else:
            save_file(held, folder / part)
    index = folder / f"{stem}{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return index, places


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_weights_in_several_files_are_one_model(folder, suffix):
    index, places = split(folder, suffix)
    for place in (folder, index):
        assert are_equal(weights_of(load_gpt2(place)[0]), weights_of(MODEL))
    part = sorted(places.values())[1]
    refused("give one of these, or the folder", load_gpt2, folder / part)
    data = (folder / part).read_bytes()
    for wrong, message in ((data[:-9], "damaged or cut short"), (None, "is missing; copy it")):
        (folder / part).unlink()
        if wrong is not None:
            (folder / part).write_bytes(wrong)
        refused(rf"{part} {message}|{part} is {message}", load_gpt2, folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda map_: map_ | {"new.weight": map_["transformer.wte.weight"]},
            "promises.*new.weight",
        ),
        (lambda map_: map_ | {"transformer.wte.weight": "../x.safetensors"}, "names no files"),
        (lambda map_: map_ | {"transformer.wte.weight": "/etc/passwd"}, "names no files"),
        (lambda map_: map_ | {"transformer.wte.weight": None}, "names no files"),
        (lambda map_: map_ | {"transformer.wte.weight": "gone.safetensors"}, "gone.* is missing"),
        (lambda map_: [], "names no files"),
        (lambda map_: {}, "0 blocks"),
    ],
    ids=range(7),
)
def test_an_index_that_does_not_fit_its_parts_is_refused(folder, change, message):
    index, places = split(folder, ".safetensors")
    index.write_text(json.dumps({"weight_map": change(places)}))
    refused(message, load_gpt2, folder)


class Code:
    """What runs a program when it is unpickled carelessly."""

    def __reduce__(self):
        return os.mkdir, ("it-ran",)


def test_pickles_are_read_for_their_weights_only(folder, weights, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (folder / "pytorch_model.bin").write_bytes(b"not read, as there is model.safetensors")
    load_gpt2(folder)
    weights.unlink()
    refused("pytorch_model.bin is damaged or cut short", load_gpt2, folder)
    file = folder / "pytorch_model.bin"
    for wrong in (Code(), {"transformer.wte.weight": Code()}, MODEL):
        torch.save(wrong, file)
        refused("pytorch_model.bin .*or holds more than weights", load_gpt2, folder)
    assert not (tmp_path / "it-ran").exists()
    named = hugging_face(MODEL).state_dict()
    for wrong in ({"model": named, "step": 3}, [torch.ones(3)], {1: torch.ones(3)}, torch.ones(3)):
        torch.save(wrong, file)
        refused("pytorch_model.bin holds .*, no tensors by name", load_gpt2, folder)
    for old in (False, True):
        torch.save(named, file, _use_new_zipfile_serialization=not old)
        for place in (folder, file):
            assert are_equal(weights_of(load_gpt2(place)[0]), weights_of(MODEL))
    data = file.read_bytes()
    for length in range(0, len(data), len(data) // 10):
        file.write_bytes(data[:length])
        refused("pytorch_model.bin is damaged or cut short", load_gpt2, folder)
    torch.save(named, folder / "model.pt")
    refused("model.pt is none of .*model.safetensors", load_gpt2, folder / "model.pt")


@pytest.mark.parametrize("wrong", ["", "no/such/folder", "/none", "./gpt2", "a b", "x/../y", "~/g"])
def test_what_is_neither_a_path_nor_a_name_is_refused(wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "fetch_folder", lambda name: pytest.fail(f"{name} is fetched"))
    if wrong == "":
        refused("path_or_name is empty; name a path", load_gpt2, wrong)
    else:
        refused("is neither a file nor a folder; check the path", load_gpt2, wrong)
    for other in (None, 3, b"gpt2", MODEL):
        refused("path_or_name is a .*; it must be a path", load_gpt2, other)
    refused("path_or_name='a.*' holds a zero byte", load_gpt2, "a\0b")


@pytest.mark.parametrize("form", ["whole", "in parts", ".bin"])
def test_a_name_is_fetched_with_the_files_that_are_read_and_no_others(
    folder, monkeypatch, tmp_path, form
):
    import huggingface_hub

    if form == "in parts":
        split(folder, ".safetensors")
    elif form == ".bin":
        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    else:
        (folder / "pytorch_model.bin").write_bytes(b"not fetched")
    expected = {file.name for file in folder.iterdir()} - (
        {"pytorch_model.bin"} if form == "whole" else set()
    )
    for other in ("tf_model.h5", "README.md", "rust_model.ot"):
        (folder / other).write_bytes(b"not fetched")
    fetched = tmp_path / "fetched"

    def snapshot_download(name, allow_patterns):
        assert name == "some-one/gpt2.x_y"
        fetched.mkdir(exist_ok=True)
        for file in folder.iterdir():
            if any(file.match(pattern) for pattern in allow_patterns):
                shutil.copy(file, fetched)
        return str(fetched)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert are_equal(weights_of(load_gpt2("some-one/gpt2.x_y")[0]), weights_of(MODEL))
    assert {file.name for file in fetched.iterdir()} == expected


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


OTHER = random_model(n_head=2, seed=1, std=0.1, vocab_size=300)
TOKENIZERS = [train_tokenizer([text * 9], 300) for text in ("the cat sat", "注意は自己注意")]


def model_in(folder):
    """Return which of two models a folder holds, and the merges that it holds with it."""
    found, tokenizer = load_gpt2(folder)
    for name, model in (("old", MODELS[0]), ("new", MODELS[1])):
        if found.config == model.config and are_equal(weights_of(found), weights_of(model)):
            return name, None if tokenizer is None else merges_of(tokenizer)
    return None


MODELS = random_model(std=0.1, vocab_size=300), OTHER


@pytest.mark.parametrize("with_tokenizers", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("call", ["replace", "unlink", "fsync", "rmdir"])
def test_a_write_that_ends_anywhere_leaves_the_old_model_or_the_new_one(
    tmp_path, with_tokenizers, call, monkeypatch
):
    old, new = (
        (tokenizer if given else None)
        for tokenizer, given in zip(TOKENIZERS, with_tokenizers, strict=True)
    )
    possible = [("old", old and merges_of(old)), ("new", new and merges_of(new))]
    real, states = getattr(os, call), []
    for last in range(20):
        folder, made = tmp_path / str(last), []
        save_gpt2(folder, MODELS[0], old)

        def stop_later(*arguments, last=last, made=made, **options):
            made.append(arguments)
            if len(made) > last:
                raise StoppedError
            return real(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, stop_later)
            try:
                save_gpt2(folder, OTHER, new)
            except StoppedError:
                pass
            else:
                break
        state = model_in(folder)
        assert state in possible
        states.append(state)
        assert {file.name for file in folder.iterdir()} >= set(NAMES)
        save_gpt2(folder, OTHER, new)
        assert model_in(folder) == possible[1]
    assert 0 < len(states) < 20
    assert states == sorted(states, key=possible.index)  # from some moment on it is the new one


def test_a_save_over_an_older_one_leaves_nothing_that_tells_of_that_one(folder):
    from transformers import GPT2TokenizerFast

    save_gpt2(folder, MODELS[0], TOKENIZERS[0])
    GPT2TokenizerFast(tokenizer_object=TOKENIZERS[0]).save_pretrained(folder)
    hugging_face(MODELS[0]).generation_config.save_pretrained(folder)
    (folder / "notes.txt").write_text("mine")
    assert len(list(folder.iterdir())) > 4
    save_gpt2(folder, OTHER)
    assert sorted(file.name for file in folder.iterdir()) == [*NAMES, "notes.txt"]
    assert model_in(folder) == ("new", None)
    smaller = random_model()
    save_gpt2(folder, smaller)
    assert are_equal(weights_of(load_gpt2(folder)[0]), weights_of(smaller))


def test_threads_that_save_and_load_at_once_never_see_a_mixture(tmp_path):
    save_gpt2(tmp_path, MODELS[0], TOKENIZERS[0])
    pairs = list(zip(MODELS, TOKENIZERS, strict=True))
    possible = [(name, merges_of(t)) for name, t in zip(("old", "new"), TOKENIZERS, strict=True)]

    def work(number):
        if number % 3 == 0:
            save_gpt2(tmp_path, *pairs[number % 2])
        return model_in(tmp_path)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, range(40)))
    assert all(state in possible for state in found)


def test_a_folder_in_the_place_of_a_file_is_refused_before_anything_is_written(folder):
    (folder / "tokenizer.json").mkdir()
    refused("tokenizer.json is a folder; move it away", save_gpt2, folder, OTHER)
    (folder / "tokenizer.json").rmdir()
    assert are_equal(weights_of(load_gpt2(folder)[0]), weights_of(MODEL))
    refused("is, or lies in, what is no folder", save_gpt2, folder / "config.json", OTHER)
    refused("is, or lies in, what is no folder", save_gpt2, folder / "config.json" / "x", OTHER)


def test_weights_that_cannot_be_written_leave_the_old_model(folder, monkeypatch):
    def fail(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr(hub, "save_file", fail)
    with pytest.raises(OSError, match="no space"):
        save_gpt2(folder, random_model(seed=1))
    assert sorted(file.name for file in folder.iterdir()) == NAMES
    assert are_equal(weights_of(load_gpt2(folder)[0]), weights_of(MODEL))


def test_folders_are_made_and_settings_are_plain_json(tmp_path):
    save_gpt2(tmp_path / "new" / "folder", MODEL)
    text = (tmp_path / "new" / "folder" / "config.json").read_text("utf-8")
    assert json.loads(text) == gpt2_settings(SMALL)
    assert text.endswith("}\n")
