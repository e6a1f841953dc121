"""Tensors and facts in one sealed file: written whole or not at all, refused if altered.

The format is safetensors, which holds numbers only, so that loading a file never runs code.
Its metadata hold the facts as JSON, and the SHA-256 of the whole file as a seal.
"""

import hashlib
import json

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from gpt_helpers.files import as_path, make_folder, replace_file

OPEN_SEAL = "0" * 64  # stands where the seal goes while the file is hashed


def write_sealed(path, tensors, facts):
    """Write tensors {name: tensor} and facts, a dict that JSON can hold, to one file.

    The file appears under its name when it is complete: a process that is killed leaves the
    old file, and beside it at most a .partial one that the next write replaces.
    Raises ValueError for what the format cannot hold.
    """
    path = as_path("path", path)
    check_content(tensors, facts)
    try:
        metadata = {"facts": json.dumps(facts), "sha256": OPEN_SEAL}
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        data = save(plain, metadata)
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} cannot be written: {error}; mend tensors or facts") from error
    seal = hashlib.sha256(data).hexdigest()
    data = data.replace(seal_field(OPEN_SEAL), seal_field(seal), 1)
    make_folder("path", path.parent)
    replace_file(path, data)


def read_sealed(path):
    """Return (tensors, facts) of a file that write_sealed wrote, the tensors ordered by name.

    (The format gives them in any order; processes that share them out need the same one.)
    Raises ValueError if there is no such file, if it is another kind of file, or if it was
    cut short or altered, even by one bit.
    """
    path = as_path("path", path)
    if not path.is_file():
        raise ValueError(f"path={str(path)!r} is not a file; check the path")
    data = path.read_bytes()
    header = read_header(path, data)
    metadata = header.pop("__metadata__")
    length = 8 + int.from_bytes(data[:8], "little") + data_bytes(header)
    if len(data) < length:
        raise ValueError(f"{path} has {len(data)} of {length} bytes: cut short; copy it again")
    seal = metadata["sha256"]
    unsealed = data.replace(seal_field(seal), seal_field(OPEN_SEAL), 1)
    if hashlib.sha256(unsealed).hexdigest() != seal:
        raise ValueError(f"{path} was altered: its content does not fit its seal; copy it again")
    try:
        return dict(sorted(load(data).items())), json.loads(metadata["facts"])
    except (SafetensorError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no file of write_sealed: {error}") from error


def seal_field(seal):
    """Return the seal as it stands in the header, and nowhere else: facts have no bare quotes."""
    return f'"sha256":"{seal}"'.encode()


def read_header(path, data):
    """Return the header of a sealed file as a dict; raise ValueError for any other file."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        metadata = header["__metadata__"]
        is_sealed = len(metadata["sha256"]) == len(OPEN_SEAL) and "facts" in metadata
    except (ValueError, KeyError, TypeError, RecursionError):
        is_sealed = False
    if not is_sealed:
        found = f"{len(data)} bytes that begin with {data[:8]!r}"
        raise ValueError(
            f"{path} is no sealed file ({found}): it is of another format, or its beginning"
            " was cut or altered"
        )
    return header


def data_bytes(header):
    """Return how many bytes of tensors a header announces; 0 if it does not say."""
    try:
        return max((int(entry["data_offsets"][1]) for entry in header.values()), default=0)
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        return 0


def check_content(tensors, facts):
    """Raise ValueError unless tensors is a dict of tensors by name, and facts is a dict."""
    check_tensors("tensors", tensors)
    if not isinstance(facts, dict):
        raise ValueError(f"facts={facts!r:.60} must be a dict that JSON can hold")


def check_tensors(name, value):
    """Raise ValueError unless value is a dict of tensors by name."""
    is_dict = isinstance(value, dict) and all(isinstance(key, str) for key in value)
    if not is_dict or not all(isinstance(tensor, torch.Tensor) for tensor in value.values()):
        raise ValueError(f"{name}={value!r:.60} must be a dict of tensors by name")


def copy_tensors(targets, tensors, source):
    """Copy tensors into the targets of the same names, in place; source names them in errors.

    Raises ValueError, before anything is copied, unless names and shapes agree.
    """
    check_tensors("targets", targets)
    check_tensors("tensors", tensors)
    check_shapes(targets, tensors, source)
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(tensors[name])


def check_shapes(targets, tensors, source, partly=False):
    """Raise ValueError unless tensors have the names and shapes of the targets.

    With partly, targets may have names that tensors lack. source names the file in errors.
    """
    missing = [] if partly else sorted(targets.keys() - tensors.keys())
    foreign = sorted(name for name in tensors if targets.get(name) is None)
    if missing or foreign:
        found = f"it lacks {missing[:3]} and has {foreign[:3]}"
        raise ValueError(f"{source} is of another model: {found}")
    for name, tensor in tensors.items():
        if targets[name].shape != tensor.shape:
            found, needed = tuple(tensor.shape), tuple(targets[name].shape)
            raise ValueError(f"{source} is of another model: {name} is {found}, not {needed}")
