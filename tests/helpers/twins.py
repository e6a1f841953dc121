"""A small model of each family beside the same of transformers, with the same random weights.

A table says which tensors of transformers make one of ours: several are stacked, rows of the
first above rows of the second. {} is the number of the layer.
"""

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
from gpt_helpers.variants.llama import LlamaConfig, LlamaLMHeadModel
from gpt_helpers.variants.olmo2 import OLMo2Config, OLMo2LMHeadModel
from gpt_helpers.variants.plamo import PLaMoConfig, PLaMoLMHeadModel, interleaved
from gpt_helpers.variants.qwen2 import Qwen2Config, Qwen2LMHeadModel
from gpt_helpers.variants.qwen3 import Qwen3Config, Qwen3LMHeadModel
from gpt_helpers.variants.sizes import GPT1, GPT_NEO
from tests.helpers.reference import SMALL

SHAPE = {"vocab_size": 61, "n_positions": 24, "n_embd": 24, "n_layer": 3, "n_head": 4}
NO_TOKENS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}


@dataclasses.dataclass(frozen=True)
class Family:
    """One family: our class and config, the peer of transformers, and the table of tensors.

    peer is a function of our config that returns the peer. tolerance is that of logits, and
    heads makes of the peer's heads (B, H, T, S) ours, where they have another order.
    """

    model: Callable
    config: object
    peer: Callable
    table: dict
    takes_positions: bool = False
    has_cache: bool = True
    tolerance: float = 1e-5
    heads: Callable = torch.Tensor.clone


def randomised(model, seed=0, std=0.25):
    """Return the model in eval mode with every parameter drawn again, gains around 1."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        is_gain = bool((parameter == 1).all())
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = std * noise + float(is_gain)
    return model.eval()


def twins(family, **changes):
    """Return (ours, theirs), two models with equal weights."""
    config = dataclasses.replace(family.config, **changes)
    theirs = randomised(family.peer(config))
    ours = family.model(config).eval()
    ours.load_state_dict(weights_of(family.table, theirs.state_dict(), config))
    return ours, theirs


def weights_of(table, tensors, config):
    """Return {our name: tensor} for the tensors of transformers by name."""
    found = {}
    for name, made in table.items():
        for layer in range(config.n_layer) if "{}" in name else (0,):
            found[name.format(layer)] = made(tensors, layer, config)
    return found


def stacked(*names):
    """Return the function that stacks tensors of these names."""
    return lambda tensors, layer, config: torch.cat([tensors[n.format(layer)] for n in names])


def transposed(name):
    """Return the function that transposes a tensor: a Conv1D holds (in, out)."""
    return lambda tensors, layer, config: tensors[name.format(layer)].T


def paired(ours, theirs, parts=("weight", "bias")):
    """Return the rows of a table for a module that is one module of transformers as well."""
    return {f"{ours}.{part}": stacked(f"{theirs}.{part}") for part in parts}


def conv1d(ours, theirs):
    """Return the rows of a table for a Linear that is a Conv1D of transformers."""
    return {
        f"{ours}.weight": transposed(f"{theirs}.weight"),
        f"{ours}.bias": stacked(f"{theirs}.bias"),
    }


BLOCK, WEIGHT = "transformer.h.{}", ("weight",)


def three(theirs, parts=WEIGHT, names=("q_proj", "k_proj", "v_proj")):
    """Return the rows of a table for c_attn, which is three modules of transformers."""
    return {
        f"{BLOCK}.attn.c_attn.{part}": stacked(*(f"{theirs}.{name}.{part}" for name in names))
        for part in parts
    }


def ends(embedding, norm, head=None, norm_parts=("weight", "bias"), head_parts=WEIGHT):
    """Return the rows of a table for the embedding, the final norm and the head."""
    return {
        **paired("transformer.wte", embedding, WEIGHT),
        **(paired("transformer.ln_f", norm, norm_parts) if norm else {}),
        **paired("lm_head", head or embedding, head_parts),
    }


# GPT-1.


def openai_gpt(config):
    """Return a small GPT-1 of transformers."""
    from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel

    names = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "layer_norm_epsilon")
    shape = {name: getattr(config, name) for name in names}
    return OpenAIGPTLMHeadModel(OpenAIGPTConfig(afn="gelu", **shape))


GPT1_TABLE = {
    **ends("transformer.tokens_embed", None),
    **paired("transformer.wpe", "transformer.positions_embed", WEIGHT),
    **paired(f"{BLOCK}.ln_1", f"{BLOCK}.ln_1"),
    **paired(f"{BLOCK}.ln_2", f"{BLOCK}.ln_2"),
    **conv1d(f"{BLOCK}.attn.c_attn", f"{BLOCK}.attn.c_attn"),
    **conv1d(f"{BLOCK}.attn.c_proj", f"{BLOCK}.attn.c_proj"),
    **conv1d(f"{BLOCK}.mlp.c_fc", f"{BLOCK}.mlp.c_fc"),
    **conv1d(f"{BLOCK}.mlp.c_proj", f"{BLOCK}.mlp.c_proj"),
}


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
            layer_norm_epsilon=config.layer_norm_epsilon,
            **NO_TOKENS,
        )
    )


THEIR_NEO = f"{BLOCK}.attn.attention"
GPT_NEO_TABLE = {
    **ends("transformer.wte", "transformer.ln_f", "lm_head"),
    **paired("transformer.wpe", "transformer.wpe", WEIGHT),
    **paired(f"{BLOCK}.ln_1", f"{BLOCK}.ln_1"),
    **paired(f"{BLOCK}.ln_2", f"{BLOCK}.ln_2"),
    **three(THEIR_NEO),
    **paired(f"{BLOCK}.attn.c_proj", f"{THEIR_NEO}.out_proj"),
    **paired(f"{BLOCK}.mlp.c_fc", f"{BLOCK}.mlp.c_fc"),
    **paired(f"{BLOCK}.mlp.c_proj", f"{BLOCK}.mlp.c_proj"),
}


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
            rotary_dim=config.rotary_width,
            layer_norm_epsilon=config.layer_norm_epsilon,
            tie_word_embeddings=False,
            **NO_TOKENS,
        )
    )


GPT_J_TABLE = {
    **ends("transformer.wte", "transformer.ln_f", "lm_head", head_parts=("weight", "bias")),
    **paired(f"{BLOCK}.ln_1", f"{BLOCK}.ln_1"),
    **three(f"{BLOCK}.attn"),
    **paired(f"{BLOCK}.attn.c_proj", f"{BLOCK}.attn.out_proj", WEIGHT),
    **paired(f"{BLOCK}.mlp.c_fc", f"{BLOCK}.mlp.fc_in"),
    **paired(f"{BLOCK}.mlp.c_proj", f"{BLOCK}.mlp.fc_out"),
}


# GPT-NeoX, which stores query, key and value of one head beside each other.


def gpt_neox(config):
    """Return a small GPT-NeoX of transformers."""
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    share = (config.rotary_width or config.head_width) / config.head_width
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=config.vocab_size,
            max_position_embeddings=config.n_positions,
            hidden_size=config.n_embd,
            num_hidden_layers=config.n_layer,
            num_attention_heads=config.n_head,
            intermediate_size=config.mlp_width,
            rope_parameters={
                "rope_type": "default",
                "rope_theta": config.rotary_base,
                "partial_rotary_factor": share,
            },
            use_parallel_residual=config.parallel,
            layer_norm_eps=config.layer_norm_epsilon,
            tie_word_embeddings=False,
            **NO_TOKENS,
        )
    )


def by_part(name):
    """Return the function that gives rows of (head, part) in the order (part, head)."""

    def made(tensors, layer, config):
        rows = tensors[name.format(layer)].unflatten(0, (config.n_head, 3, config.head_width))
        return rows.transpose(0, 1).flatten(0, 2)

    return made


LAYER = "gpt_neox.layers.{}"
GPT_NEOX_TABLE = {
    **ends("gpt_neox.embed_in", "gpt_neox.final_layer_norm", "lm_head"),
    **paired(f"{BLOCK}.ln_1", f"{LAYER}.input_layernorm"),
    **paired(f"{BLOCK}.ln_2", f"{LAYER}.post_attention_layernorm"),
    f"{BLOCK}.attn.c_attn.weight": by_part(f"{LAYER}.attention.query_key_value.weight"),
    f"{BLOCK}.attn.c_attn.bias": by_part(f"{LAYER}.attention.query_key_value.bias"),
    **paired(f"{BLOCK}.attn.c_proj", f"{LAYER}.attention.dense"),
    **paired(f"{BLOCK}.mlp.c_fc", f"{LAYER}.mlp.dense_h_to_4h"),
    **paired(f"{BLOCK}.mlp.c_proj", f"{LAYER}.mlp.dense_4h_to_h"),
}


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
    """Return the settings of a rotation that is not stretched."""
    return {"rope_type": "default", "rope_theta": config.rotary_base}


def llama(config):
    """Return a small Llama of transformers, with the frequencies of Llama 3.1."""
    from transformers import LlamaConfig, LlamaForCausalLM

    stretched = {
        "rope_type": "llama3",
        "rope_theta": config.rotary_base,
        "factor": config.rope_factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": config.original_positions,
    }
    rope = plain(config) if config.rope_factor == 1 else stretched
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


THEIRS = "model.layers.{}"
LLAMA_BUT_MLP = {
    **ends("model.embed_tokens", "model.norm", "lm_head", norm_parts=WEIGHT),
    **paired(f"{BLOCK}.ln_1", f"{THEIRS}.input_layernorm", WEIGHT),
    **paired(f"{BLOCK}.ln_2", f"{THEIRS}.post_attention_layernorm", WEIGHT),
    **three(f"{THEIRS}.self_attn"),
    **paired(f"{BLOCK}.attn.c_proj", f"{THEIRS}.self_attn.o_proj", WEIGHT),
}
SWIGLU = {
    f"{BLOCK}.mlp.c_fc.weight": stacked(
        f"{THEIRS}.mlp.gate_proj.weight", f"{THEIRS}.mlp.up_proj.weight"
    ),
    **paired(f"{BLOCK}.mlp.c_proj", f"{THEIRS}.mlp.down_proj", WEIGHT),
}
QK_NORMS = {
    **paired(f"{BLOCK}.attn.q_norm", f"{THEIRS}.self_attn.q_norm", WEIGHT),
    **paired(f"{BLOCK}.attn.k_norm", f"{THEIRS}.self_attn.k_norm", WEIGHT),
}


def heads_in_rows(name, axis):
    """Return the function that puts heads that share keys apart which are in a row in Llama."""

    def made(tensors, layer, config):
        sizes = config.key_heads, -1, config.head_width
        parts = tensors[name.format(layer)].unflatten(axis, sizes)
        return parts.transpose(axis, axis + 1).flatten(axis, axis + 2)

    return made


def of_plamo():
    """Return the rows of a table for PLaMo, whose heads are in another order than Llama's."""
    theirs = f"{THEIRS}.self_attn"
    queries = heads_in_rows(f"{theirs}.q_proj.weight", 0)
    shared = stacked(f"{theirs}.k_proj.weight", f"{theirs}.v_proj.weight")
    rows = {name: made for name, made in LLAMA_BUT_MLP.items() if "ln_2" not in name}
    return rows | {
        f"{BLOCK}.attn.c_attn.weight": lambda *at: torch.cat([queries(*at), shared(*at)]),
        f"{BLOCK}.attn.c_proj.weight": heads_in_rows(f"{theirs}.o_proj.weight", 1),
    }


QKV_BIASES = three(f"{THEIRS}.self_attn", ("bias",))
OUTPUT_NORMS = {
    **paired(f"{BLOCK}.ln_1", f"{THEIRS}.post_attention_layernorm", WEIGHT),
    **paired(f"{BLOCK}.ln_2", f"{THEIRS}.post_feedforward_layernorm", WEIGHT),
}


def one_more(ours, theirs):
    """Return the row of a table for a norm whose gain is 1 + weight in transformers."""
    return {f"{ours}.weight": lambda *place: 1 + stacked(f"{theirs}.weight")(*place)}


SANDWICH = {
    **one_more("transformer.ln_f", "model.norm"),
    **one_more(f"{BLOCK}.ln_1", f"{THEIRS}.input_layernorm"),
    **one_more(f"{BLOCK}.ln_1_out", f"{THEIRS}.post_attention_layernorm"),
    **one_more(f"{BLOCK}.ln_2", f"{THEIRS}.pre_feedforward_layernorm"),
    **one_more(f"{BLOCK}.ln_2_out", f"{THEIRS}.post_feedforward_layernorm"),
}
GEMMA_QK_NORMS = {
    **one_more(f"{BLOCK}.attn.q_norm", f"{THEIRS}.self_attn.q_norm"),
    **one_more(f"{BLOCK}.attn.k_norm", f"{THEIRS}.self_attn.k_norm"),
}
OF_OSS = {
    **three(f"{THEIRS}.self_attn", ("weight", "bias")),
    **paired(f"{BLOCK}.attn.c_proj", f"{THEIRS}.self_attn.o_proj"),
    f"{BLOCK}.attn.sink_bias": stacked(f"{THEIRS}.self_attn.sinks"),
    **paired(f"{BLOCK}.mlp.router", f"{THEIRS}.mlp.router"),
}


def expert(name, number, change):
    """Return the function that takes one expert out of a tensor of all, and changes it."""
    return lambda tensors, layer, config: change(tensors[name.format(layer)][number])


def of_experts(n_experts, parts):
    """Return the rows of a table for experts; parts are {our part: (their name, change)}."""
    return {
        f"{BLOCK}.mlp.experts.{number}.{part}": expert(f"{THEIRS}.mlp.{name}", number, change)
        for number in range(n_experts)
        for part, (name, change) in parts.items()
    }


def as_it_is(tensor):
    """Return the tensor."""
    return tensor


def gates_first(tensor):
    """Return columns that alternate between gate and gated, all gates before all gated, as rows."""
    return torch.cat([tensor[..., ::2], tensor[..., 1::2]], dim=-1).mT


SWIGLU_EXPERTS = {
    "c_fc.weight": ("experts.gate_up_proj", as_it_is),
    "c_proj.weight": ("experts.down_proj", as_it_is),
}
OSS_EXPERTS = {
    "c_fc.weight": ("experts.gate_up_proj", gates_first),
    "c_fc.bias": ("experts.gate_up_proj_bias", lambda b: torch.cat([b[::2], b[1::2]])),
    "c_proj.weight": ("experts.down_proj", lambda tensor: tensor.T),
    "c_proj.bias": ("experts.down_proj_bias", as_it_is),
}
LATENT = {
    f"{BLOCK}.attn.{ours}.weight": stacked(f"{THEIRS}.self_attn.{theirs}.weight")
    for ours, theirs in {
        "q_down": "q_a_proj", "q_norm": "q_a_layernorm", "q_up": "q_b_proj",
        "kv_down": "kv_a_proj_with_mqa", "kv_norm": "kv_a_layernorm", "kv_up": "kv_b_proj",
    }.items()
}  # fmt: skip
SHARED_EXPERT = {
    f"{BLOCK}.mlp.shared.c_fc.weight": stacked(
        f"{THEIRS}.mlp.shared_experts.gate_proj.weight",
        f"{THEIRS}.mlp.shared_experts.up_proj.weight",
    ),
    **paired(f"{BLOCK}.mlp.shared.c_proj", f"{THEIRS}.mlp.shared_experts.down_proj", WEIGHT),
    f"{BLOCK}.mlp.router.bias": stacked(f"{THEIRS}.mlp.gate.e_score_correction_bias"),
}
EXPERTS = {"n_experts": 5, "n_experts_per_token": 2, "n_inner": 20}
ROUTER = paired(f"{BLOCK}.mlp.router", f"{THEIRS}.mlp.gate", WEIGHT)
MIXTURE = {**ROUTER, **of_experts(5, SWIGLU_EXPERTS)}


def where(table, layers):
    """Return the rows of a table of blocks for some layers only, by their numbers."""
    return {
        name.format(layer): functools.partial(at_layer, made, layer)
        for name, made in table.items()
        for layer in layers
    }


def at_layer(made, layer, tensors, _, config):
    """Return what a row of a table makes at this layer."""
    return made(tensors, layer, config)


DEEPSEEK3_TABLE = {
    **{name: made for name, made in LLAMA_BUT_MLP.items() if "c_attn" not in name},
    **LATENT,
    **where(SWIGLU, [0]),
    **where(ROUTER | of_experts(6, SWIGLU_EXPERTS) | SHARED_EXPERT, [1, 2]),
}
GROUPED = {"n_kv_head": 2, "n_inner": 20, "rotary_base": 100.0, "original_positions": 32}
OSS_ROTATION = {"rotary_base": 10000.0, "original_positions": 512}


FAMILIES = {
    "gpt1": Family(
        GPT1, dataclasses.replace(SMALL, n_positions=24, dropout=0.0), openai_gpt, GPT1_TABLE,
        takes_positions=True, has_cache=False,
    ),
    "gpt_neo": Family(
        GPT_NEO, GPTNeoConfig(**SHAPE, window=3), gpt_neo, GPT_NEO_TABLE, takes_positions=True
    ),
    "gpt_j": Family(
        GPTJLMHeadModel, GPTJConfig(**SHAPE, rotary_width=4), gpt_j, GPT_J_TABLE,
        takes_positions=True,
    ),
    "gpt_neox": Family(
        GPTNeoXLMHeadModel, GPTNeoXConfig(**SHAPE, rotary_width=4), gpt_neox, GPT_NEOX_TABLE,
        takes_positions=True,
    ),
    "gpt_neox, sequential": Family(
        GPTNeoXLMHeadModel, GPTNeoXConfig(**SHAPE, rotary_width=None, parallel=False),
        gpt_neox, GPT_NEOX_TABLE, takes_positions=True,
    ),
    "llama": Family(
        LlamaLMHeadModel, LlamaConfig(**SHAPE, **GROUPED | {"rope_factor": 8.0}), llama,
        LLAMA_BUT_MLP | SWIGLU,
    ),
    "llama, not stretched": Family(
        LlamaLMHeadModel, LlamaConfig(**SHAPE, **GROUPED | {"rope_factor": 1.0}), llama,
        LLAMA_BUT_MLP | SWIGLU,
    ),
    "plamo": Family(
        PLaMoLMHeadModel,
        PLaMoConfig(**SHAPE | {"n_head": 6, "n_kv_head": 3, "n_inner": 20, "rotary_base": 100.0}),
        plamo, of_plamo() | SWIGLU, heads=functools.partial(interleaved, stride=2),
    ),
    "qwen2": Family(
        Qwen2LMHeadModel, Qwen2Config(**SHAPE, **GROUPED), qwen2,
        LLAMA_BUT_MLP | SWIGLU | QKV_BIASES,
    ),
    "olmo2": Family(
        OLMo2LMHeadModel, OLMo2Config(**SHAPE, **GROUPED), olmo2,
        LLAMA_BUT_MLP | SWIGLU | QK_NORMS | OUTPUT_NORMS,
    ),
    "qwen3": Family(
        Qwen3LMHeadModel, Qwen3Config(**SHAPE, **GROUPED, head_width=10), qwen3,
        LLAMA_BUT_MLP | SWIGLU | QK_NORMS,
    ),
    "qwen3, experts": Family(
        Qwen3LMHeadModel, Qwen3Config(**SHAPE, **GROUPED | EXPERTS, head_width=10),
        qwen3_experts, LLAMA_BUT_MLP | QK_NORMS | MIXTURE, tolerance=1e-4,
    ),
    "mixtral": Family(
        LlamaLMHeadModel, LlamaConfig(**SHAPE, **GROUPED | EXPERTS, rope_factor=1.0),
        mixtral, LLAMA_BUT_MLP | MIXTURE, tolerance=1e-4,
    ),
    "gemma2": Family(
        Gemma2LMHeadModel,
        Gemma2Config(**SHAPE, **GROUPED, head_width=10, score_width=7, window=3),
        gemma2, LLAMA_BUT_MLP | SWIGLU | SANDWICH,
    ),
    "gemma3": Family(
        Gemma3LMHeadModel,
        Gemma3Config(
            **SHAPE | {"n_layer": 6}, **GROUPED, head_width=10, score_width=14, window=3,
            window_base=50.0, rope_factor=2.0,
        ),
        gemma3, LLAMA_BUT_MLP | SWIGLU | SANDWICH | GEMMA_QK_NORMS,
    ),
    "gpt_oss": Family(
        GPTOSSLMHeadModel,
        GPTOSSConfig(
            **SHAPE, **GROUPED | EXPERTS | OSS_ROTATION, head_width=10, window=3
        ),
        gpt_oss, LLAMA_BUT_MLP | OF_OSS | of_experts(5, OSS_EXPERTS), tolerance=1e-4,
    ),
    "deepseek3": Family(
        DeepSeek3LMHeadModel,
        DeepSeek3Config(
            **SHAPE, rotary_base=10000.0, original_positions=512, query_latent=11, key_latent=9,
            plain_width=6, rotary_width=8, value_width=5, n_dense=1, dense_width=20, n_inner=8,
            n_experts=6, n_experts_per_token=2, n_groups=3, n_groups_chosen=2,
        ),
        deepseek3, DEEPSEEK3_TABLE, tolerance=1e-4,
    ),
}  # fmt: skip
