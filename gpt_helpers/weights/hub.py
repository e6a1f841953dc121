"""The files of a model as Hugging Face's libraries keep them: found, fetched, read, written."""

import contextlib
import json
import os
import re
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models

from gpt_helpers.files import alone, as_path, make_folder, replace_file, replacing
from gpt_helpers.text.tokenizer import END_OF_TEXT, byte_level

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
# Where weights may be, the first that is there: in one file, or in parts that an index names.
INDEX, SUFFIXES = ".index.json", (".safetensors", ".bin")
WEIGHTS = WEIGHTS_FILE, WEIGHTS_FILE + INDEX, "pytorch_model.bin", "pytorch_model.bin" + INDEX
BPE_FILES = "vocab.json", "merges.txt"  # an older form of a tokenizer
FETCHED = CONFIG_FILE, TOKENIZER_FILE, *BPE_FILES, "model*.safetensors", WEIGHTS_FILE + INDEX
FETCHED_ELSE = ("pytorch_model*.bin", "pytorch_model.bin" + INDEX)  # where there are none of these
# What else tells of the model that was in a folder before, to us or to Hugging Face's libraries.
STALE = (
    *WEIGHTS[1:], CONFIG_FILE, TOKENIZER_FILE, *BPE_FILES, "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "generation_config.json",
    "adapter_config.json", "chat_template.jinja", "chat_template.json",
)  # fmt: skip
COMING = "coming.partial"  # a folder for files until all of them are complete
HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def find_folder(path_or_name):
    """Return the folder of a model: the one given, that of its weights, or one that is fetched.

    Raises ValueError for what is neither a path that exists nor a name, and ConnectionError
    for a name that cannot be fetched.
    """
    path = as_path("path_or_name", path_or_name)
    if path.is_dir():
        return path
    if path.is_file():
        if path.name not in WEIGHTS:
            raise ValueError(f"{path} is none of {WEIGHTS}; give one of these, or the folder")
        return path.parent
    if not HUB_NAME.fullmatch(str(path_or_name)):
        raise ValueError(f"{path_or_name=} is neither a file nor a folder; check the path")
    return fetch_folder(str(path_or_name))


def fetch_folder(name):
    """Return the folder with the files of a model on huggingface.co, which stays for next time.

    Raises ConnectionError if it cannot be had.
    """
    try:
        from huggingface_hub import snapshot_download  # only those who fetch need it

        folder = Path(snapshot_download(name, allow_patterns=list(FETCHED)))
        if not any((folder / file).is_file() for file in WEIGHTS):
            folder = Path(snapshot_download(name, allow_patterns=list(FETCHED_ELSE)))
        return folder
    except ImportError as error:
        raise ConnectionError(
            f"{name} is no path here, and to fetch it huggingface_hub is missing:"
            " pip install huggingface_hub"
        ) from error
    except Exception as error:  # its errors have no common base class
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ConnectionError(
            f"{name} is no path here, and cannot be fetched from huggingface.co ({reason});"
            " without a network, give the folder of a model"
        ) from error


def read_folder(path_or_name):
    """Return (settings, tensors, tokenizer, file) of a model: file is where its weights are.

    settings is the content of config.json, tensors is {name: tensor}, tokenizer None where there
    is none. Raises ValueError for files that are missing or damaged, else as find_folder does.
    """
    folder = find_folder(path_or_name)
    with alone(folder):
        finish(folder)
        file = weights_file(path_or_name if Path(path_or_name).is_file() else folder)
        return read_json(folder / CONFIG_FILE), read_parts(file), read_tokenizer(folder), file


def read_json(path):
    """Return the content of a file of JSON; raise ValueError if it is missing or damaged."""
    try:
        return json.loads(existing(path).read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise ValueError(f"{path} is damaged ({error}); copy it again") from error


def weights_file(path):
    """Return the file of weights that a path names, or that is read of a folder."""
    path = as_path("path", path)
    if path.is_file():
        return path
    if not path.is_dir():
        raise ValueError(f"path={str(path)!r} is neither a file nor a folder; check the path")
    there = [name for name in WEIGHTS if (path / name).is_file()]
    return path / (there[0] if there else WEIGHTS_FILE)


def read_weights(path):
    """Return {name: tensor} of a folder, of a file of weights, or of what an index names.

    Raises ValueError if one is missing or damaged. Bytes of a number that were altered cannot be
    told from a number: the formats have no seal.
    """
    return read_parts(weights_file(path))


def read_parts(file):
    """Return {name: tensor} of a file of weights, or of the parts that it names as an index."""
    if not file.name.endswith(INDEX):
        return read_tensors(file)
    places = read_json(file)
    places = places.get("weight_map") if isinstance(places, dict) else None
    if not isinstance(places, dict) or not all(map(is_part, places.values())):
        raise ValueError(f"{file} names no files of this folder in weight_map; copy it again")
    parts = {part: read_tensors(file.parent / part) for part in sorted(set(places.values()))}
    missing = [name for name, part in places.items() if name not in parts[part]]
    if missing:
        raise ValueError(f"{file} promises {missing[:3]}, which the files lack; copy them again")
    return {name: parts[part][name] for name, part in places.items()}


def is_part(name):
    """Return whether this is the name of a file of weights, and no path that leads elsewhere."""
    return isinstance(name, str) and Path(name).name == name and name.endswith(SUFFIXES)


def read_tensors(path):
    """Return {name: tensor} of one file, safetensors or PyTorch's .bin, of which no code is run.

    Raises ValueError if it is missing or damaged, or holds anything else.
    """
    existing(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)  # which reads a tensor from the disk when it is used
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the errors of damaged files have no common base class
        reason = str(error).partition("\n")[0]
        found = f"{path} is damaged or cut short, or holds more than weights ({reason})"
        raise ValueError(f"{found}; copy it again") from error
    is_dict = isinstance(tensors, dict) and all(isinstance(name, str) for name in tensors)
    if not is_dict or not all(map(torch.is_tensor, tensors.values())):
        found = list(tensors)[:5] if is_dict else type(tensors).__name__
        raise ValueError(f"{path} holds {found}, no tensors by name; save model.state_dict()")
    return dict(tensors)


def read_tokenizer(folder):
    """Return the Tokenizer of tokenizer.json, or of vocab.json and merges.txt; None without them.

    It neither cuts nor fills up a text, whatever its file says. Raises ValueError if a file is
    damaged, or one of the two is missing.
    """
    names = (TOKENIZER_FILE,) if os.path.lexists(folder / TOKENIZER_FILE) else BPE_FILES
    if not any(os.path.lexists(folder / name) for name in names):
        return None
    paths = [str(existing(folder / name)) for name in names]
    try:
        if names is BPE_FILES:
            tokenizer = byte_level(models.BPE.from_file(*paths))
            if tokenizer.token_to_id(END_OF_TEXT) is not None:
                tokenizer.add_special_tokens([END_OF_TEXT])
        else:
            tokenizer = Tokenizer.from_file(*paths)
    except Exception as error:  # the library raises no narrower class
        found = f"{' with '.join(paths)} holds no tokenizer ({error})"
        raise ValueError(f"{found}; copy it again") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def existing(path):
    """Return path; raise ValueError, with what is there, unless it is a file."""
    if not path.is_file():
        state = "is a folder" if path.is_dir() else "is missing"
        state = "is a link to nothing" if path.is_symlink() and not path.exists() else state
        there = path.parent.iterdir() if path.parent.is_dir() else ()
        found = sorted(file.name for file in there)[:9]
        raise ValueError(f"{path} {state}; copy it there. The folder holds {found}")
    return path


def write_folder(folder, settings, weights, tokenizer=None):
    """Write the files of a model into a folder, over those of another model, all or none.

    They are made in a folder of their own within, and moved when all are complete. A process
    that is killed leaves the old model or the new one, whichever read_folder then finds.
    """
    make_folder("folder", folder)
    coming = folder / COMING
    taken = [name for name in (WEIGHTS_FILE, *STALE) if (folder / name).is_dir()]
    if taken:
        raise ValueError(f"{folder / taken[0]} is a folder; move it away, a file takes its place")
    with alone(folder):
        finish(folder)
        shutil.rmtree(coming, ignore_errors=True)
        coming.mkdir()
        try:
            with replacing(coming / WEIGHTS_FILE) as partial:
                save_file(weights, partial, {"format": "pt"})
            if tokenizer is not None:
                replace_file(coming / TOKENIZER_FILE, tokenizer.to_str().encode())
            text = json.dumps(settings, indent=2) + "\n"
            replace_file(coming / CONFIG_FILE, text.encode())
        except BaseException:
            shutil.rmtree(coming, ignore_errors=True)
            raise
        finish(folder)


def finish(folder):
    """Move the files of a save that is complete to their places; of any other, do nothing.

    It can be killed and begun again: the weights go first, once nothing tells of the old ones.
    """
    coming = folder / COMING
    if not (coming / CONFIG_FILE).is_file():
        return
    if (coming / WEIGHTS_FILE).is_file():
        for name in STALE:
            (folder / name).unlink(missing_ok=True)
    for name in (WEIGHTS_FILE, TOKENIZER_FILE, CONFIG_FILE):
        with contextlib.suppress(FileNotFoundError):
            os.replace(coming / name, folder / name)
    coming.rmdir()
