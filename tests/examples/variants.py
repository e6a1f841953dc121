"""A right call of each door of gpt_helpers.variants."""

import dataclasses

import torch
from torch import nn

from gpt_helpers.architecture.attention import attention
from gpt_helpers.architecture.model import GPTMLP, GPTAttention, GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.variants import (
    costs,
    decoder,
    deepseek3,
    gpt1,
    gpt3,
    gpt_j,
    gpt_neo,
    gpt_neox,
    gpt_oss,
    latent,
    llama,
    mlps,
    modern,
    published,
    qwen3,
    rope_scaling,
    rotary,
    sinks,
    sizes,
    windows,
)
from tests.helpers.misuse import Example

READ = "what load_models reads; nobody makes one"
TRUSTING = {"gpt_helpers.variants.published.PublishedModel": READ}
SIZE = {"vocab_size": 5, "n_positions": 8, "n_embd": 8, "n_layer": 2, "n_head": 2, "dropout": 0.0}
EXPERTS = {"n_experts": 4, "n_experts_per_token": 2}
PLAIN = GPTConfig(**SIZE)
NARROW = SIZE | {"n_inner": 8, "n_kv_head": 1}
LLAMA = llama.LlamaConfig(**NARROW, **EXPERTS)
QWEN3 = qwen3.Qwen3Config(**NARROW, **EXPERTS, head_width=4)
GPT_J = gpt_j.GPTJConfig(**SIZE, rotary_width=2)
NEOX = gpt_neox.GPTNeoXConfig(**SIZE, rotary_width=2)
GPT_OSS = gpt_oss.GPTOSSConfig(**NARROW, **EXPERTS, window=4, head_width=4)
DEEPSEEK3 = deepseek3.DeepSeek3Config(
    **SIZE | EXPERTS, n_inner=4, query_latent=4, key_latent=4, plain_width=2, rotary_width=2,
    value_width=4, n_groups=2, n_groups_chosen=1, dense_width=8,
)  # fmt: skip
# What a field may be that looks bad: no dropout, all weights 0 at first, a width by default.
CONFIG_TAKES = {"dropout": "0", "initializer_range": "0", "n_inner": "None", "n_kv_head": "None"}
CONFIG_TAKES |= {"rotary_width": "None"}
LATENT_TAKES = {"dropout": "0", "initializer_range": "0", "n_inner": "None", "n_dense": "0"}


def examples():
    """Yield the examples."""
    yield from of_configs()
    yield from of_parts()
    yield from of_models()
    yield from of_rotations()
    yield from of_sizes()


def of_configs():
    """Yield the examples of configs: every field is a parameter."""
    configs = (
        LLAMA,
        QWEN3,
        NEOX,
        GPT_OSS,
        GPT_J,
        DEEPSEEK3,
        gpt3.GPT3Config(**SIZE),
        gpt_neo.GPTNeoConfig(**SIZE),
    )
    for config in configs:
        given = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
        filled = {"n_inner": 8, "n_kv_head": 2} | {k: v for k, v in given.items() if v is not None}
        takes = LATENT_TAKES if config is DEEPSEEK3 else CONFIG_TAKES
        yield Example(type(config), given | filled, takes)


def of_parts():
    """Yield the examples of attention, MLPs and blocks."""
    attend = {"config": LLAMA, "attend": attention}
    yield Example(decoder.RotaryAttention, attend | {"qkv_bias": True, "out_bias": False})
    yield Example(qwen3.Qwen3Attention, {"config": QWEN3, "attend": attention})
    yield Example(latent.LatentAttention, {"config": DEEPSEEK3, "attend": attention})
    yield Example(mlps.Experts, {"config": LLAMA, "mlp": mlps.SwiGLUMLP, "bias": False})
    yield Example(deepseek3.DeepSeek3Experts, {"config": DEEPSEEK3})
    yield Example(mlps.SwiGLUMLP, {"config": LLAMA})
    yield Example(modern.SquaredReLUMLP, {"config": PLAIN})
    sub_layers = {"attn": decoder.RotaryAttention(LLAMA), "mlp": mlps.SwiGLUMLP(LLAMA)}
    any_module = {"attn": "another", "mlp": "another"}
    block = {"config": LLAMA, "norm": nn.RMSNorm} | sub_layers
    yield Example(decoder.RotaryBlock, block, any_module)
    yield Example(gpt1.GPT1Block, {"config": PLAIN, "attend": attention, "attention": GPTAttention})
    yield Example(gpt_j.GPTJBlock, {"config": GPT_J, "attend": attention})
    yield Example(gpt_neox.GPTNeoXBlock, {"config": NEOX, "attend": attention})


def of_models():
    """Yield the examples of models, with a head and without."""
    for model, config in (
        (gpt1.GPT1Model, PLAIN),
        (gpt3.GPT3Model, gpt3.GPT3Config(**SIZE)),
        (gpt_j.GPTJLMHeadModel, GPT_J),
        (gpt_neox.GPTNeoXModel, NEOX),
        (gpt_neox.GPTNeoXLMHeadModel, NEOX),
        (gpt_oss.GPTOSSLMHeadModel, GPT_OSS),
        (llama.LlamaModel, LLAMA),
        (llama.LlamaLMHeadModel, LLAMA),
        (qwen3.Qwen3Model, QWEN3),
        (qwen3.Qwen3LMHeadModel, QWEN3),
    ):
        yield Example(model, {"config": config, "attend": attention})
    any_mlp = {"config": PLAIN, "attend": attention, "mlp": GPTMLP}
    yield Example(modern.ModernLMHeadModel, any_mlp)
    parts = {"block": llama.LlamaBlock, "norm": nn.RMSNorm}
    parts |= {"rotation": rope_scaling.llama3_rotation}
    yield Example(decoder.RotaryModel, {"config": LLAMA, "attend": attention} | parts)
    head = {"config": PLAIN, "embedding": torch.nn.Embedding(5, 8), "bias": True}
    yield Example(decoder.untied_head, head, {"embedding": "another"})


def of_rotations():
    """Yield the examples of rotations, and of attention that is not attention.attention."""
    positions = torch.arange(4)[None]
    angles = {"position_ids": positions, "head_width": 4, "base": 100.0, "rescale": torch.sqrt}
    anywhere = {"position_ids": "empty -1 huge"}
    yield Example(rotary.rotary_angles, angles, anywhere | {"rescale": "None"})
    yield Example(
        rope_scaling.llama3_rotation, {"position_ids": positions, "config": LLAMA}, anywhere
    )
    x = torch.randn(1, 2, 4, 4)
    turned = {"x": x, "rotation": rotary.rotary_angles(positions, 4)}
    yield Example(rotary.rotate, turned, {"x": "empty nan"})
    operands = {"q": x, "k": x, "v": x, "dropout": 0.1, "window": 2, "sinks": torch.zeros(2)}
    operands["padding"] = torch.ones(1, 4, dtype=torch.bool)
    takes = {"q": "nan", "k": "nan", "v": "nan", "sinks": "None nan", "padding": "None"}
    yield Example(sinks.attention_with_sinks, operands, takes | {"dropout": "0", "window": "None"})


def of_sizes():
    """Yield the examples of what is counted, in models and in published records."""
    model = GPTLMHeadModel(PLAIN)
    for door in (sizes.count_all, sizes.count_active):
        yield Example(door, {"model": model}, {"model": "another"})
    yield Example(sizes.built, {"name": "GPT-2 small"})
    yield Example(costs.forward_flops, {"model": model, "n_tokens": 3})
    yield Example(costs.cache_bytes, {"model": model, "n_tokens": 3, "bytes_per_value": 2})
    for blocks in (model.transformer.h, list(model.transformer.h)):
        layers = {"blocks": blocks, "window": 3}
        yield Example(windows.use_sliding_window, layers, {"blocks": "empty"})
    for door in (published.load_models, published.published_models, published.disclosed_models):
        yield Example(door, {"path": published.PUBLISHED})
