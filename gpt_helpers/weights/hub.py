"""The files of a model as Hugging Face's libraries keep them: found, fetched, read, written."""

import json
import re
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from gpt_helpers.files import replace_file, replacing

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def find_folder(path_or_name):
    """Return the folder of a model: the one given, that of its weights, or one that is fetched.

    Raises ValueError for what is neither a path that exists nor a name, and ConnectionError
    for a name that cannot be fetched.
    """
    if not isinstance(path_or_name, str | Path):
        raise ValueError(f"path_or_name={path_or_name!r} must be a path, or a name on the hub")
    path = Path(path_or_name)
    if path.is_dir():
        return path
    if path.is_file():
        if path.name != WEIGHTS_FILE:
            raise ValueError(f"{path} is not named {WEIGHTS_FILE}; no other file is read")
        return path.parent
    if not HUB_NAME.fullmatch(str(path_or_name)):
        raise ValueError(f"{path_or_name} is neither a file nor a folder; check the path")
    return fetch_folder(str(path_or_name))


def fetch_folder(name):
    """Return the folder with the files of a model on huggingface.co, which stays for next time.

    Raises ConnectionError if it cannot be had.
    """
    try:
        from huggingface_hub import snapshot_download  # only those who fetch need it

        return Path(
            snapshot_download(name, allow_patterns=[CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE])
        )
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


def read_settings(folder):
    """Return the content of config.json; raise ValueError if it is missing or damaged."""
    path = existing(folder / CONFIG_FILE)
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); copy it again") from error


def read_weights(folder):
    """Return {name: tensor} of model.safetensors; raise ValueError if it is missing or damaged.

    Tensors are read from the file when they are used. Bytes of a number that were altered
    cannot be told from a number: the format has no seal.
    """
    path = existing(folder / WEIGHTS_FILE)
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged or cut short ({error}); copy it again") from error


def read_tokenizer(folder):
    """Return the Tokenizer of tokenizer.json, None if there is none.

    Raises ValueError if it is damaged.
    """
    path = folder / TOKENIZER_FILE
    if not path.is_file():
        return None
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises no narrower class
        raise ValueError(f"{path} holds no tokenizer ({error}); copy it again") from error


def existing(path):
    """Return path; raise ValueError, with what is there, unless it is a file."""
    if not path.is_file():
        found = sorted(file.name for file in path.parent.iterdir())[:9]
        raise ValueError(f"{path} is missing; the folder holds {found}")
    return path


def write_folder(folder, settings, weights, tokenizer=None):
    """Write the files of a model into a folder, each complete before it gets its name.

    At no moment do old settings stand beside new weights.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / WEIGHTS_FILE) as partial:
        save_file(weights, partial, {"format": "pt"})
        (folder / CONFIG_FILE).unlink(missing_ok=True)
    if tokenizer is not None:
        replace_file(folder / TOKENIZER_FILE, tokenizer.to_str().encode())
    replace_file(folder / CONFIG_FILE, (json.dumps(settings, indent=2) + "\n").encode())
