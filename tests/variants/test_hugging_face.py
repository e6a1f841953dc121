"""Weights of transformers by our names: rows by hand, and what does not fit, with its name.

tests/variants/test_families.py proves each table: logits are equal with the weights converted.
"""

import re

import pytest
import torch

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.variants.gpt_neox import by_part
from gpt_helpers.variants.gpt_oss import GPTOSSLMHeadModel, gates_first
from gpt_helpers.variants.hugging_face import LLAMA_NAMES, converted, transposed
from gpt_helpers.variants.llama import LlamaModel
from gpt_helpers.variants.modern import ModernLMHeadModel
from tests.helpers.book import ROOT
from tests.helpers.reference import random_model, refused
from tests.helpers.twins import FAMILIES, randomised

IN_BLOCK = "model.layers.1.self_attn"


def both(name):
    """Return our small model of a family, and the state dict of its peer of transformers."""
    family = FAMILIES[name]
    return family.model(family.config), randomised(family.peer(family.config)).state_dict()


def test_rows_of_queries_stand_above_those_of_keys_and_of_values():
    ours, theirs = both("qwen2")
    found = converted(ours, theirs)
    for part in ("weight", "bias"):
        q, k, v = (theirs[f"{IN_BLOCK}.{name}_proj.{part}"] for name in "qkv")
        stacked = found[f"transformer.h.1.attn.c_attn.{part}"]
        assert torch.equal(stacked[:24], q)
        assert torch.equal(stacked[24:36], k)
        assert torch.equal(stacked[36:], v)
    assert found.keys() == ours.state_dict().keys()


def test_each_expert_is_its_own_part_of_the_tensor_of_all():
    ours, theirs = both("mixtral")
    found = converted(ours, theirs)
    for number in range(5):
        weight = found[f"transformer.h.2.mlp.experts.{number}.c_proj.weight"]
        assert torch.equal(weight, theirs["model.layers.2.mlp.experts.down_proj"][number])


def test_tensors_are_adapted_as_by_hand():
    config = type("Config", (), {"n_head": 2, "head_width": 1})
    rows = torch.tensor([[10.0], [11.0], [12.0], [20.0], [21.0], [22.0]])  # q, k, v of each head
    assert by_part(rows, config).flatten().tolist() == [10, 20, 11, 21, 12, 22]
    columns = torch.tensor([[1.0, 2.0, 3.0, 4.0]])  # gate, gated, gate, gated
    assert gates_first(columns, None).tolist() == [[1], [3], [2], [4]]
    assert gates_first(columns[0], None).tolist() == [1, 3, 2, 4]
    assert transposed(columns, None).shape == (4, 1)
    assert transposed(columns[0], None).shape == (4,)


@pytest.mark.parametrize("name", FAMILIES)
def test_any_weight_that_is_missing_is_named(name):
    if FAMILIES[name].table is not None:
        return  # transformers has no such model
    ours, theirs = both(name)
    for missing in theirs:
        if missing == "lm_head.weight" and name in ("gpt1", "gpt_neo", "gemma2", "gemma3"):
            continue  # their head is the embedding
        rest = {other: tensor for other, tensor in theirs.items() if other != missing}
        refused(f"^{re.escape(missing)} is missing, from which .* is made", converted, ours, rest)


def test_weights_without_a_place_are_named():
    ours, theirs = both("llama")
    more = theirs | {"model.layers.3.mlp.up_proj.weight": torch.ones(2)}
    refused(r"\['model.layers.3.mlp.up_proj.weight'\] \(1 in all\) have no", converted, ours, more)
    ours, theirs = both("llama")[0], both("qwen2")[1]
    refused(r"k_proj.bias.* \(9 in all\) have no place", converted, ours, theirs)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (torch.ones(10, 24), r"attn.c_attn.weight is \(48, 24\), which .*\(10, 24\).* do not make"),
        (torch.ones(12, 23), r"attn.c_attn.weight is \(48, 24\), which .*\(12, 23\).* do not make"),
    ],
)
def test_a_weight_of_another_shape_is_named(wrong, message):
    ours, theirs = both("llama")
    refused(message, converted, ours, theirs | {f"{IN_BLOCK}.k_proj.weight": wrong})


def test_a_head_that_is_the_embedding_may_be_there_and_another_may_not():
    ours, theirs = both("gemma2")
    found = converted(ours, theirs)
    head = theirs.pop("lm_head.weight")
    without = converted(ours, theirs)
    assert torch.equal(found["lm_head.weight"], without["lm_head.weight"])
    refused("'lm_head.weight'.* no place", converted, ours, theirs | {"lm_head.weight": head + 1})


def test_a_llama_whose_head_is_its_embedding_needs_no_head():
    family = FAMILIES["llama"]
    _, theirs = both("llama")
    del theirs["lm_head.weight"]
    tied = GPTLMHeadModel(family.config, transformer=LlamaModel)
    tied.load_state_dict(converted(tied, theirs))
    assert torch.equal(tied.lm_head.weight, theirs["model.embed_tokens.weight"])


def test_masks_and_frequencies_of_older_files_are_no_weights():
    for name, old in {
        "gpt_neo": ("transformer.h.0.attn.attention.bias",),
        "gpt_j": ("transformer.h.0.attn.bias", "transformer.h.0.attn.masked_bias"),
        "gpt_neox": ("gpt_neox.layers.0.attention.rotary_emb.inv_freq",),
        "llama": ("model.layers.0.self_attn.rotary_emb.inv_freq",),
    }.items():
        ours, theirs = both(name)
        found = converted(ours, theirs | dict.fromkeys(old, torch.ones(1)))
        assert found.keys() == ours.state_dict().keys()


def test_what_has_no_table_and_what_is_no_state_dict_is_refused():
    modern = ModernLMHeadModel(FAMILIES["gpt1"].config)
    refused("GPTModel has no hf_names; GPT-2 has weights.pretrained", converted, random_model(), {})
    refused("ModernModel has no hf_names", converted, modern, {})
    refused("model is a ModuleList", converted, LlamaModel(FAMILIES["llama"].config).h, {})
    refused("state_dict is a GPTLMHeadModel", converted, both("llama")[0], random_model())
    sinks = GPTOSSLMHeadModel(FAMILIES["gpt_oss"].config)
    refused("sink_bias has no row in hf_names", converted, sinks, both("gpt_oss")[1], LLAMA_NAMES)


def test_the_package_does_not_import_transformers():
    pattern = re.compile(r"^\s*(?:import|from) transformers", re.M)
    for path in (ROOT / "gpt_helpers").rglob("*.py"):
        assert not pattern.search(path.read_text("utf-8")), path
