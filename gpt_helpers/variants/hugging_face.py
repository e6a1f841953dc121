"""Weights of transformers for the families here: which of their tensors make one of ours.

The model of a family has a table hf_names, {ours: theirs}. "h" is their list of blocks; the other
keys are modules, such as "wte" or, within a block, "attn.c_attn", or single tensors, such as
"attn.sink_bias", with {} for the number of an expert. A value is a name of theirs, a tuple of
names whose rows are stacked, the first above, or an Adapted. transformers itself is not imported.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from gpt_helpers.architecture.modules import check_model

# What older files hold besides weights: masks, and the frequencies of rotations.
NO_WEIGHTS = re.compile(r"\.(attn|attention)\.(masked_)?bias$|rotary_emb\.inv_freq$")
# A weight of ours: of a block with a number, or not, and within it of an expert, or not.
OURS = re.compile(r"(?:transformer\.(?:h\.(\d+)\.)?)?(.+)")
EXPERT = re.compile(r"\bexperts\.(\d+)\b")


@dataclass(frozen=True)
class Adapted:
    """Tensors of transformers, stacked, which a function then changes: adapt(tensor, config).

    Of experts that are stored as one tensor, it is given the one that is asked for.
    """

    names: str | tuple[str, ...]
    adapt: Callable


def transposed(tensor, config):
    """Return a matrix (in, out) as ours, (out, in), and a vector as it is."""
    return tensor.T if tensor.ndim == 2 else tensor


LLAMA_NAMES = {
    "h": "model.layers",
    "wte": "model.embed_tokens",
    "ln_f": "model.norm",
    "lm_head": "lm_head",
    "ln_1": "input_layernorm",
    "attn.c_attn": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attn.c_proj": "self_attn.o_proj",
    "ln_2": "post_attention_layernorm",
    "mlp.c_fc": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp.c_proj": "mlp.down_proj",
}
EXPERT_NAMES = {
    "mlp.router": "mlp.gate",
    "mlp.experts.{}.c_fc.weight": "mlp.experts.gate_up_proj",
    "mlp.experts.{}.c_proj.weight": "mlp.experts.down_proj",
}
QK_NORM_NAMES = {"attn.q_norm": "self_attn.q_norm", "attn.k_norm": "self_attn.k_norm"}
SANDWICH_NAMES = {
    "ln_f.bias": "model.norm.weight",
    "ln_1.bias": "input_layernorm.weight",
    "ln_1_out.bias": "post_attention_layernorm.weight",
    "ln_2.bias": "pre_feedforward_layernorm.weight",
    "ln_2_out.bias": "post_feedforward_layernorm.weight",
}


def converted(model, state_dict, table=None):
    """Return the weights of a model of transformers by our names, for model.load_state_dict.

    state_dict is that of transformers 5, where the experts of a layer are one tensor (of GPT-NeoX:
    since 5.14, where its head is lm_head). Where our head is the token embedding, it may hold a
    head or not. table is that of the model's family.

        theirs = AutoModelForCausalLM.from_pretrained("Qwen/Qwen3-8B")
        ours = Qwen3LMHeadModel(Qwen3Config())
        ours.load_state_dict(converted(ours, theirs.state_dict()))

    Raises ValueError, with its name, for a weight that is missing, that has no place or whose
    shape does not fit, and for a family without a table.
    """
    check_model(model)
    if not isinstance(state_dict, Mapping):
        found = type(state_dict).__name__
        raise ValueError(f"state_dict is a {found}; pass the state_dict() of the other model")
    is_tied = model.lm_head.weight is model.transformer.wte.weight
    peer = PeerWeights(state_dict, table or table_of(model), is_tied)
    weights = {
        name: peer.weight(name, tuple(own.shape), model.config)
        for name, own in model.state_dict().items()
    }
    peer.check_unused(weights)
    return weights


def table_of(model):
    """Return the table of the model's family; raise ValueError if it has none."""
    table = getattr(model.transformer, "hf_names", None)
    if table is None:
        found = type(model.transformer).__name__
        raise ValueError(f"{found} has no hf_names; GPT-2 has weights.pretrained.load_gpt2")
    return table


class PeerWeights:
    """The tensors of a model of transformers, and the names of those that were used."""

    def __init__(self, tensors, table, is_tied):
        """Read tensors by the table; a head that is tied is the embedding."""
        self.tensors, self.used, self.is_tied = tensors, set(), is_tied
        self.table = table | {"lm_head": table["wte"]} if is_tied else table

    def weight(self, name, shape, config):
        """Return our weight of this name; raise ValueError unless it has this shape."""
        names, expert, adapt = self.origin(name)
        parts = [self.tensor(theirs, name) for theirs in names]
        misfit = ValueError(
            f"{name} is {shape}, which {names} of shapes {[tuple(part.shape) for part in parts]}"
            " do not make; is it another config?"
        )
        try:
            made = parts[0] if len(parts) == 1 else torch.cat(parts)
            made = made if expert is None else made[expert]
            made = made if adapt is None else adapt(made, config)
        except (IndexError, RuntimeError) as error:
            raise misfit from error
        if made.shape != shape:
            raise misfit
        return made

    def origin(self, name):
        """Return the names of theirs, the number of the expert or None, and adapt or None."""
        layer, inner = OURS.fullmatch(name).groups()
        expert = EXPERT.search(inner)
        value, part = self.row(EXPERT.sub("experts.{}", inner), name)
        names, adapt = (value.names, value.adapt) if isinstance(value, Adapted) else (value, None)
        start = "" if layer is None else f"{self.table['h']}.{layer}."
        names = [names] if isinstance(names, str) else names
        return [f"{start}{theirs}{part}" for theirs in names], expert and int(expert[1]), adapt

    def row(self, inner, name):
        """Return what the table says of a tensor, and "", or of its module, and its own name."""
        module, _, part = inner.rpartition(".")
        if inner not in self.table and module not in self.table:
            raise ValueError(f"{name} has no row in hf_names; is it another config?")
        return (self.table[inner], "") if inner in self.table else (self.table[module], f".{part}")

    def tensor(self, theirs, name):
        """Return the tensor of this name of theirs; raise ValueError if it is missing."""
        if theirs not in self.tensors:
            raise ValueError(f"{theirs} is missing, from which {name} is made")
        self.used.add(theirs)
        return self.tensors[theirs]

    def check_unused(self, weights):
        """Raise ValueError if a weight has no place; a head may be there that is the embedding."""
        unused = sorted(n for n in self.tensors.keys() - self.used if not NO_WEIGHTS.search(n))
        head = "lm_head.weight"
        if self.is_tied and head in unused and torch.equal(self.tensors[head], weights[head]):
            unused.remove(head)
        if unused:
            raise ValueError(
                f"{unused[:4]} ({len(unused)} in all) have no place in this model; is it of"
                " another family, or of another config?"
            )
