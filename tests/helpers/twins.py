"""A small model of each family beside the same of transformers, with the same random weights."""

import dataclasses
import functools
from collections.abc import Callable

import torch

from gpt_helpers.variants.deepseek3 import DeepSeek3Config, DeepSeek3LMHeadModel
from gpt_helpers.variants.gemma2 import Gemma2Config, Gemma2LMHeadModel
from gpt_helpers.variants.gemma3 import Gemma3Config, Gemma3LMHeadModel
from gpt_helpers.variants.gpt_j import GPTJConfig, GPTJLMHeadModel
from gpt_helpers.variants.gpt_neo import GPTNeoConfig
from gpt_helpers.variants.gpt_neox import GPTNeoXConfig, GPTNeoXLMHeadModel
from gpt_helpers.variants.gpt_oss import GPTOSSConfig, GPTOSSLMHeadModel
from gpt_helpers.variants.hugging_face import LLAMA_NAMES, Adapted, converted
from gpt_helpers.variants.llama import LlamaConfig, LlamaLMHeadModel
from gpt_helpers.variants.olmo2 import OLMo2Config, OLMo2LMHeadModel
from gpt_helpers.variants.plamo import PLaMoConfig, PLaMoLMHeadModel, interleaved
from gpt_helpers.variants.qwen2 import Qwen2Config, Qwen2LMHeadModel
from gpt_helpers.variants.qwen3 import Qwen3Config, Qwen3LMHeadModel
from gpt_helpers.variants.sizes import GPT1, GPT_NEO
from tests.helpers.reference import ACTIVATIONS, SMALL

SHAPE = {"vocab_size": 61, "n_positions": 24, "n_embd": 24, "n_layer": 3, "n_head": 4}
NO_TOKENS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}


@dataclasses.dataclass(frozen=True)
class Family:
    """One family: our class and config, and the peer of transformers.

    peer is a function of our config that returns the peer. tolerance is that of logits. heads
    makes of the peer's heads (B, H, T, S) ours, where they have another order, and table is that
    of the peer's names where the family has none.
    """

    model: Callable
    config: object
    peer: Callable
    takes_positions: bool = False
    has_cache: bool = True
    tolerance: float = 1e-5
    heads: Callable = torch.Tensor.clone
    table: dict | None = None


def randomised(model, seed=0, std=0.25):
    """Return the model in eval mode with every parameter drawn again, gains around 1."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        is_gain = bool((parameter == 1).all())
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = std * noise + float(is_gain)
    return model.eval()


def twins(family, **draw):
    """Return (ours, theirs), two models with equal weights, drawn as randomised draws them."""
    theirs = randomised(family.peer(family.config), **draw)
    theirs.set_experts_implementation("eager")  # the others need widths that 16 bytes divide
    ours = family.model(family.config).eval()
    ours.load_state_dict(converted(ours, theirs.state_dict(), family.table))
    return ours, theirs


# GPT-1.


def openai_gpt(config):
    """Return a small GPT-1 of transformers, with MLPs of any width."""
    from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel
    from transformers.models.openai.modeling_openai import MLP

    names = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "layer_norm_epsilon")
    shape = {name: getattr(config, name) for name in names}
    model = OpenAIGPTLMHeadModel(OpenAIGPTConfig(afn=config.activation, **shape))
    for block in model.transformer.h:
        block.mlp = MLP(config.mlp_width, model.config)
    return model


# GPT-Neo.


def gpt_neo(config):
    """Return a small GPT-Neo of transformers."""
    from transformers import GPTNeoConfig, GPTNeoForCausalLM

    kinds = ["global", "local"] * config.n_layer
    return GPTNeoForCausalLM(
        GPTNeoConfig(
            vocab_size=config.vocab_size,
            max_position_embeddings=config.n_positions,
            hidden_size=config.n_embd,
            num_layers=config.n_layer,
            num_heads=config.n_head,
            attention_types=[[[kind], 1] for kind in kinds[: config.n_layer]],
            window_size=config.window,
            intermediate_size=config.mlp_width,
            activation_function=ACTIVATIONS[config.activation],
            layer_norm_epsilon=config.layer_norm_epsilon,
            **NO_TOKENS,
        )
    )


# GPT-J.


def gpt_j(config):
    """Return a small GPT-J of transformers."""
    from transformers import GPTJConfig, GPTJForCausalLM

    return GPTJForCausalLM(
        GPTJConfig(
            vocab_size=config.vocab_size,
            n_positions=config.n_positions,
            n_embd=config.n_embd,
            n_layer=config.n_layer,
            n_head=config.n_head,
            rotary_dim=config.rotary_width or config.head_width,
            n_inner=config.mlp_width,
            activation_function=ACTIVATIONS[config.activation],
            layer_norm_epsilon=config.layer_norm_epsilon,
            tie_word_embeddings=False,
            **NO_TOKENS,
        )
    )


# GPT-NeoX.


def gpt_neox(config):
    """Return a small GPT-NeoX of transformers."""
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    share = (config.rotary_width or config.head_width) / config.head_width
    model = GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=config.vocab_size,
            max_position_embeddings=config.n_positions,
            hidden_size=config.n_embd,
            num_hidden_layers=config.n_layer,
            num_attention_heads=config.n_head,
            intermediate_size=config.mlp_width,
            hidden_act=ACTIVATIONS[config.activation],
            rope_parameters=plain(config),
            rotary_pct=share,  # the first transformers 5 read it nowhere else
            use_parallel_residual=config.parallel,
            layer_norm_eps=config.layer_norm_epsilon,
            tie_word_embeddings=False,
            **NO_TOKENS,
        )
    )
    model.register_state_dict_post_hook(name_head)
    return model


def name_head(model, state_dict, *others):
    """Name the head as transformers does since 5.14."""
    if "embed_out.weight" in state_dict:
        state_dict["lm_head.weight"] = state_dict.pop("embed_out.weight")


# Llama, and what has its names.


def llama_settings(config):
    """Return the settings that all configs of Llama's kind share."""
    return {
        "vocab_size": config.vocab_size,
        "hidden_size": config.n_embd,
        "intermediate_size": config.mlp_width,
        "num_hidden_layers": config.n_layer,
        "num_attention_heads": config.n_head,
        "num_key_value_heads": config.key_heads,
        "head_dim": config.head_width,
        "max_position_embeddings": config.n_positions,
        "rms_norm_eps": config.layer_norm_epsilon,
        "tie_word_embeddings": False,
        **NO_TOKENS,
    }


def plain(config):
    """Return the settings of a rotation that is not rescaled."""
    return {"rope_type": "default", "rope_theta": config.rotary_base}


def llama3(config):
    """Return the settings of Llama 3.1's rotation."""
    return plain(config) | {
        "rope_type": "llama3",
        "factor": config.rope_factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": config.original_positions,
    }


def llama(config):
    """Return a small Llama of transformers, with the frequencies of Llama 3.1."""
    from transformers import LlamaConfig, LlamaForCausalLM

    rope = llama3(config) if getattr(config, "rope_factor", 1) != 1 else plain(config)
    return LlamaForCausalLM(LlamaConfig(rope_parameters=rope, **llama_settings(config)))


def plamo(config):
    """Return a small Llama of transformers, with blocks that are parallel as those of PLaMo.

    transformers has no PLaMo. The other order of its heads is made by that of the weights.
    """
    model = llama(config)
    for layer in model.model.layers:
        del layer.post_attention_layernorm
        layer.forward = functools.partial(parallel, layer)
    return model


def parallel(layer, hidden_states, **others):
    """Return what a layer of transformers makes with attention and MLP side by side."""
    y = layer.input_layernorm(hidden_states)
    return hidden_states + layer.self_attn(hidden_states=y, **others)[0] + layer.mlp(y)


def qwen2(config):
    """Return a small Qwen2 of transformers, which is that of Qwen2.5 too."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    return Qwen2ForCausalLM(Qwen2Config(rope_parameters=plain(config), **llama_settings(config)))


def olmo2(config):
    """Return a small OLMo 2 of transformers."""
    from transformers import Olmo2Config, Olmo2ForCausalLM

    return Olmo2ForCausalLM(Olmo2Config(rope_parameters=plain(config), **llama_settings(config)))


def qwen3(config):
    """Return a small Qwen3 of transformers."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return Qwen3ForCausalLM(Qwen3Config(rope_parameters=plain(config), **llama_settings(config)))


def qwen3_experts(config):
    """Return a small Qwen3 with experts of transformers."""
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    return Qwen3MoeForCausalLM(
        Qwen3MoeConfig(
            rope_parameters=plain(config),
            num_experts=config.n_experts,
            num_experts_per_tok=config.n_experts_per_token,
            moe_intermediate_size=config.mlp_width,
            norm_topk_prob=True,
            **llama_settings(config),
        )
    )


def mixtral(config):
    """Return a small Mixtral of transformers."""
    from transformers import MixtralConfig, MixtralForCausalLM

    return MixtralForCausalLM(
        MixtralConfig(
            rope_parameters=plain(config),
            num_local_experts=config.n_experts,
            num_experts_per_tok=config.n_experts_per_token,
            sliding_window=None,
            **llama_settings(config),
        )
    )


def gemma2(config):
    """Return a small Gemma 2 of transformers."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    return Gemma2ForCausalLM(
        Gemma2Config(
            rope_parameters=plain(config),
            query_pre_attn_scalar=config.score_width,
            sliding_window=config.window,
            attn_implementation="eager",
            **llama_settings(config) | {"tie_word_embeddings": True},
        )
    )


def gemma3(config):
    """Return a small Gemma 3 of transformers, its text part."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    of_all = {"rope_type": "linear", "rope_theta": config.rotary_base, "factor": config.rope_factor}
    of_windows = {"rope_type": "default", "rope_theta": config.window_base}
    return Gemma3ForCausalLM(
        Gemma3TextConfig(
            rope_parameters={"full_attention": of_all, "sliding_attention": of_windows},
            query_pre_attn_scalar=config.score_width,
            sliding_window=config.window,
            **llama_settings(config) | {"tie_word_embeddings": True},
        )
    )


def gpt_oss(config):
    """Return a small gpt-oss of transformers."""
    from transformers import GptOssConfig, GptOssForCausalLM

    kinds = ["sliding_attention", "full_attention"] * config.n_layer
    return GptOssForCausalLM(
        GptOssConfig(
            rope_parameters={
                "rope_type": "yarn",
                "rope_theta": config.rotary_base,
                "factor": config.rope_factor,
                "beta_fast": 32.0,
                "beta_slow": 1.0,
                "truncate": False,
                "original_max_position_embeddings": config.original_positions,
            },
            num_local_experts=config.n_experts,
            num_experts_per_tok=config.n_experts_per_token,
            sliding_window=config.window,
            layer_types=kinds[: config.n_layer],
            attn_implementation="eager",
            **llama_settings(config),
        )
    )


def deepseek3(config):
    """Return a small DeepSeek-V3 of transformers, its balancing biases drawn from N(0, 0.25)."""
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

    differing = {
        "intermediate_size": config.dense_width,
        "num_key_value_heads": config.n_head,
        "head_dim": config.rotary_width,
    }
    model = DeepseekV3ForCausalLM(
        DeepseekV3Config(
            rope_parameters={
                "rope_type": "yarn",
                "rope_theta": config.rotary_base,
                "factor": config.rope_factor,
                "beta_fast": 32,
                "beta_slow": 1,
                "mscale": 1.0,
                "mscale_all_dim": 1.0,
                "original_max_position_embeddings": config.original_positions,
            },
            moe_intermediate_size=config.mlp_width,
            n_routed_experts=config.n_experts,
            num_experts_per_tok=config.n_experts_per_token,
            routed_scaling_factor=config.routed_scaling_factor,
            q_lora_rank=config.query_latent,
            kv_lora_rank=config.key_latent,
            qk_nope_head_dim=config.plain_width,
            qk_rope_head_dim=config.rotary_width,
            v_head_dim=config.value_width,
            n_group=config.n_groups,
            topk_group=config.n_groups_chosen,
            first_k_dense_replace=config.n_dense,
            attn_implementation="eager",
            **llama_settings(config) | differing,
        )
    )
    generator = torch.Generator().manual_seed(1)
    for layer in model.model.layers[config.n_dense :]:
        layer.mlp.gate.e_score_correction_bias.normal_(std=0.25, generator=generator)
    return model


EXPERTS = {"n_experts": 5, "n_experts_per_token": 2, "n_inner": 20}


def heads_apart(rows, config):
    """Return rows of queries, keys and values with heads that share keys apart, not in a row."""
    n_rows = config.n_head * config.head_width
    q = rows[:n_rows].unflatten(0, (config.key_heads, -1, config.head_width))
    return torch.cat([q.transpose(0, 1).flatten(0, 2), rows[n_rows:]])


def columns_apart(columns, config):
    """Return the columns of the projection into the stream, by heads, as heads_apart."""
    heads = columns.unflatten(1, (config.key_heads, -1, config.head_width))
    return heads.transpose(1, 2).flatten(1, 3)


PLAMO_NAMES = LLAMA_NAMES | {
    "attn.c_attn": Adapted(LLAMA_NAMES["attn.c_attn"], heads_apart),
    "attn.c_proj": Adapted(LLAMA_NAMES["attn.c_proj"], columns_apart),
}
GROUPED = {"n_kv_head": 2, "n_inner": 20, "rotary_base": 100.0}


FAMILIES = {
    "gpt1": Family(
        GPT1, dataclasses.replace(SMALL, n_positions=24, dropout=0.0), openai_gpt,
        takes_positions=True, has_cache=False,
    ),
    "gpt_neo": Family(
        GPT_NEO, GPTNeoConfig(**SHAPE, window=3), gpt_neo, takes_positions=True
    ),
    "gpt_j": Family(
        GPTJLMHeadModel, GPTJConfig(**SHAPE, rotary_width=4), gpt_j,
        takes_positions=True,
    ),
    "gpt_neox": Family(
        GPTNeoXLMHeadModel, GPTNeoXConfig(**SHAPE, rotary_width=4), gpt_neox,
        takes_positions=True,
    ),
    "gpt_neox, sequential": Family(
        GPTNeoXLMHeadModel, GPTNeoXConfig(**SHAPE, rotary_width=None, parallel=False),
        gpt_neox, takes_positions=True,
    ),
    "llama": Family(
        LlamaLMHeadModel, LlamaConfig(**SHAPE, **GROUPED, original_positions=32), llama,
    ),
    "llama, not rescaled": Family(
        LlamaLMHeadModel, LlamaConfig(**SHAPE, **GROUPED, rope_factor=1.0), llama,
    ),
    "plamo": Family(
        PLaMoLMHeadModel,
        PLaMoConfig(**SHAPE | {"n_head": 6, "n_kv_head": 3, "n_inner": 20, "rotary_base": 100.0}),
        plamo, heads=functools.partial(interleaved, stride=2), table=PLAMO_NAMES,
    ),
    "qwen2": Family(
        Qwen2LMHeadModel, Qwen2Config(**SHAPE, **GROUPED), qwen2,
    ),
    "olmo2": Family(
        OLMo2LMHeadModel, OLMo2Config(**SHAPE, **GROUPED), olmo2,
    ),
    "qwen3": Family(
        Qwen3LMHeadModel, Qwen3Config(**SHAPE, **GROUPED, head_width=10), qwen3,
    ),
    "qwen3, experts": Family(
        Qwen3LMHeadModel, Qwen3Config(**SHAPE, **GROUPED | EXPERTS, head_width=10),
        qwen3_experts, tolerance=1e-4,
    ),
    "mixtral": Family(
        LlamaLMHeadModel, LlamaConfig(**SHAPE, **GROUPED | EXPERTS, rope_factor=1.0),
        mixtral, tolerance=1e-4,
    ),
    "gemma2": Family(
        Gemma2LMHeadModel,
        Gemma2Config(**SHAPE, **GROUPED, head_width=10, score_width=7, window=3),
        gemma2,
    ),
    "gemma3": Family(
        Gemma3LMHeadModel,
        Gemma3Config(
            **SHAPE | {"n_layer": 6}, **GROUPED, head_width=10, score_width=14, window=3,
            window_base=50.0, rope_factor=2.0,
        ),
        gemma3,
    ),
    "gpt_oss": Family(
        GPTOSSLMHeadModel,
        GPTOSSConfig(
            **SHAPE, **GROUPED | EXPERTS, original_positions=32, head_width=10, window=3
        ),
        gpt_oss, tolerance=1e-4,
    ),
    "deepseek3": Family(
        DeepSeek3LMHeadModel,
        DeepSeek3Config(
            **SHAPE, rotary_base=100.0, original_positions=32, query_latent=11, key_latent=9,
            plain_width=6, rotary_width=8, value_width=5, n_dense=1, dense_width=20, n_inner=8,
            n_experts=6, n_experts_per_token=2, n_groups=3, n_groups_chosen=2,
        ),
        deepseek3, tolerance=1e-4,
    ),
}  # fmt: skip
