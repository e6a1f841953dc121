"""What a training run must remember to go on: weights, optimiser states, settings and log."""

import dataclasses
import hashlib
from pathlib import Path

from gpt_helpers.training import distributed
from gpt_helpers.weights.sealed import check_shapes, copy_tensors, read_sealed, write_sealed

FILE_NAME = "checkpoint.safetensors"


class TrainingState:
    """The weights and optimiser states of a run, by name: "name", and "key/name" for a state.

    There is no state of random generators: the number of a step fixes what it draws.
    """

    def __init__(self, model, optimizers, scaler, identity):
        """Remember what changes in a run, and what does not: identity, a dict for JSON."""
        self.weights = dict(model.named_parameters())
        self.optimizers, self.scaler, self.identity = optimizers, scaler, identity
        self.owners = {
            weight: optimizer
            for optimizer in optimizers
            for group in optimizer.param_groups
            for weight in group["params"]
        }

    def tensors(self):
        """Return every tensor of the state, by name."""
        states = {
            f"{key}/{name}": tensor
            for name, weight in self.weights.items()
            if weight in self.owners
            for key, tensor in self.owners[weight].state.get(weight, {}).items()
        }
        return self.weights | states

    def save(self, folder, log):
        """Write the state and the log to folder, replacing the checkpoint there at once.

        Of several processes the first writes, and the others wait for it.
        """
        tensors = {name: distributed.whole(tensor) for name, tensor in self.tensors().items()}
        facts = {"identity": self.identity, "log": log, "scaler": self.scaler.state_dict()}
        if distributed.rank() == 0:
            write_sealed(Path(folder) / FILE_NAME, tensors, facts)
        distributed.wait()

    def restore(self, folder):
        """Load the checkpoint in folder, if there is one, and return its log, else an empty one.

        Raises ValueError for a file that is damaged, or of another model, dtype, data or settings;
        then nothing has been changed.
        """
        path = None if folder is None else Path(folder) / FILE_NAME
        if path is None or not path.exists():
            return []
        tensors, facts = read_sealed(path)
        check_facts(path, facts, self.identity)
        states = {name: tensors.pop(name) for name in list(tensors) if "/" in name}
        named = {name: self.weights.get(name.partition("/")[2]) for name in states}
        named = {name: weight for name, weight in named.items() if weight in self.owners}
        check_shapes(self.weights, tensors, path)
        check_dtypes(self.weights, tensors, path)
        shaped = {n: t if t.ndim else named.get(n, t) for n, t in states.items()}  # 0 axes fit
        check_shapes(named, shaped, path, partly=True)
        sharded = {n: self.placed(tensor, self.weights[n]) for n, tensor in tensors.items()}
        self.scaler.load_state_dict(facts["scaler"])
        copy_tensors(self.weights, sharded, path)
        for name, tensor in states.items():
            weight = named[name]
            value = self.placed(tensor, weight) if tensor.ndim else tensor.to(weight.device)
            self.owners[weight].state[weight][name.partition("/")[0]] = value
        return facts["log"]

    def placed(self, tensor, weight):
        """Return a tensor on the weight's device, sharded as the weight is."""
        return distributed.sharded_like(tensor.to(weight.device), weight)


def identity_of(model, batches, settings):
    """Return what must be the same for a run to go on: model, settings and data, for JSON."""
    config = getattr(model, "config", None)
    return {
        "model": type(model).__name__,
        "config": dataclasses.asdict(config) if dataclasses.is_dataclass(config) else {},
        "settings": dataclasses.asdict(settings) | {"betas": list(settings.betas)},
        "first batch": hashlib.sha256(batches[0].numpy().tobytes()).hexdigest(),
    }


def check_facts(path, facts, expected):
    """Raise ValueError unless a checkpoint has all facts, and the identity of this run."""
    kinds = {"identity": dict, "log": list, "scaler": dict}
    lacking = [name for name, kind in kinds.items() if not isinstance(facts.get(name), kind)]
    if lacking:
        raise ValueError(f"{path} is no checkpoint of a training run; it lacks {lacking}")
    found = facts["identity"]
    flat = [
        {"model": item.get("model"), "first batch": item.get("first batch")}
        | item.get("config", {})
        | item.get("settings", {})
        for item in (found, expected)
    ]
    differences = [
        f"{name}={flat[0].get(name)!r}, here {value!r}"
        for name, value in flat[1].items()
        if flat[0].get(name) != value
    ]
    if differences:
        raise ValueError(
            f"{path} is of another run: {'; '.join(differences[:3])}; train into another folder"
        )


def check_dtypes(weights, tensors, path):
    """Raise ValueError unless tensors that were read from path have the dtypes of the weights."""
    for name, tensor in tensors.items():
        if tensor.dtype != weights[name].dtype:
            raise ValueError(
                f"{path} holds {name} in {tensor.dtype}, the model in {weights[name].dtype};"
                " convert the model, or train into another folder"
            )
