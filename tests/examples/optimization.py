"""A right call of each door of gpt_helpers.optimization."""

import torch

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.optimization import peak, roofline, speculative, tiled
from gpt_helpers.optimization.flash import attention_flash
from tests.helpers.misuse import Example

STEP = "a step of generate_speculatively, which has checked its arguments"
SEAM = "a step of attention_tiled, which has checked the operands; runs once per tile"
TRUSTING = {
    "gpt_helpers.optimization.speculative.propose": STEP,
    "gpt_helpers.optimization.speculative.probabilities_of": STEP,
    "gpt_helpers.optimization.flash.FlashAttention": "attention_flash has checked its operands",
    "gpt_helpers.optimization.tiled.TiledAttention": SEAM,
    "gpt_helpers.optimization.tiled.tile_scores": SEAM,
    "gpt_helpers.optimization.tiled.update_online_softmax": SEAM,
}


def examples():
    """Yield the examples."""
    yield from kernels()
    yield from measurements()
    yield from counts()
    yield from speculation()


def kernels():
    """Yield the examples of what computes attention."""
    q, k, v = torch.randn(1, 2, 4, 16), torch.randn(1, 2, 4, 16), torch.randn(1, 2, 4, 16)
    operands = {"q": q, "k": k, "v": v, "dropout": 0.0, "window": 2}
    operands["padding"] = torch.ones(1, 4, dtype=torch.bool)
    takes = {"q": "nan", "k": "nan", "v": "nan", "padding": "None", "dropout": "0"}
    takes["window"] = "None"
    yield Example(attention_flash, operands, takes)
    yield Example(tiled.attention_tiled, operands | {"block_size": 2}, takes)
    yield Example(tiled.initial_softmax_state, {"q": q}, {"q": "empty nan meta"})
    places = {"first": 2, "last": 3, "block_size": 2, "window": 2}
    yield Example(tiled.key_tiles, places, {"first": "0", "window": "None"})
    sizes = {"n_queries": 3, "n_keys": 4, "block_size": 2, "window": 2}
    yield Example(tiled.tiles, sizes, {"window": "None"})


def measurements():
    """Yield the examples of what is measured."""
    x = torch.ones(2)
    yield Example(peak.extra_bytes, {"function": lambda: 2 * x, "device": "cpu"})
    yield Example(peak.measured_ceilings, {"n_threads": 1, "size": 8, "n_rounds": 1})
    kept = {"function": lambda: x.requires_grad_().exp(), "excluded": [x]}
    yield Example(peak.saved_bytes, kept, {"excluded": "empty"})


def counts():
    """Yield the examples of the roofline."""
    yield Example(roofline.attainable, {"flops_per_byte": 2.0, "flops": 9.0, "bandwidth": 3.0})
    sizes = {"batch_size": 1, "n_head": 2, "n_queries": 3, "head_width": 4, "element_bytes": 2}
    sizes |= {"n_keys": 4, "n_groups": 2}
    takes = {"n_keys": "None", "n_groups": "None"}
    yield Example(roofline.unfused_steps, sizes, takes)
    yield Example(roofline.fused_pass, sizes | {"block_size": 2}, takes)
    steps = {"steps": roofline.unfused_steps(**sizes), "name": "all"}
    yield Example(roofline.total, steps, {"name": "unknown empty"})


def speculation():
    """Yield the examples of speculative decoding."""
    p, q = torch.full((1, 2, 4), 0.25), torch.full((1, 1, 4), 0.25)
    judged = {"p": p, "q": q, "drafted": torch.tensor([[3]]), "generator": torch.Generator()}
    yield Example(speculative.accept_or_replace, judged, {"generator": "None"})
    yield Example(speculative.expected_acceptance, {"p": p, "q": p.flip(-1)})
    chances = {"acceptance": 0.5, "n_drafted": 2}
    yield Example(speculative.expected_tokens_per_call, chances, {"acceptance": "0"})
    model = GPTLMHeadModel(GPTConfig(5, 8, n_embd=4, n_layer=1, n_head=2, dropout=0.0))
    request = {"model": model, "draft": speculative.ModelDraft(model), "n_drafted": 2}
    request |= {"input_ids": torch.tensor([[1, 2]]), "max_new_tokens": 2, "temperature": 1.0}
    request |= {"top_k": 3, "top_p": 0.9, "generator": torch.Generator()}
    takes = {"max_new_tokens": "0", "temperature": "0", "top_k": "None", "top_p": "None"}
    yield Example(speculative.generate_speculatively, request, takes | {"generator": "None"})
