"""The published sizes that the families of this folder can build, and how they are counted.

On the meta device a model of any size is built without memory, and its parameters are counted.
"""

import functools

import torch

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import PRESETS, GPTConfig
from gpt_helpers.tensor_checks import check_module
from gpt_helpers.validation import check_choice
from gpt_helpers.variants.deepseek3 import DeepSeek3Config, DeepSeek3LMHeadModel
from gpt_helpers.variants.gemma2 import Gemma2Config, Gemma2LMHeadModel
from gpt_helpers.variants.gemma3 import Gemma3Config, Gemma3LMHeadModel
from gpt_helpers.variants.gpt1 import GPT1Model
from gpt_helpers.variants.gpt3 import GPT3Config, GPT3Model
from gpt_helpers.variants.gpt_j import GPTJConfig, GPTJLMHeadModel
from gpt_helpers.variants.gpt_neo import GPTNeoConfig, GPTNeoModel
from gpt_helpers.variants.gpt_neox import GPTNeoXConfig, GPTNeoXLMHeadModel
from gpt_helpers.variants.gpt_oss import GPTOSSConfig, GPTOSSLMHeadModel
from gpt_helpers.variants.llama import LlamaConfig, LlamaLMHeadModel
from gpt_helpers.variants.mlps import Experts
from gpt_helpers.variants.olmo2 import OLMo2Config, OLMo2LMHeadModel
from gpt_helpers.variants.plamo import PLaMoConfig, PLaMoLMHeadModel
from gpt_helpers.variants.qwen2 import Qwen2Config, Qwen2LMHeadModel
from gpt_helpers.variants.qwen3 import Qwen3Config, Qwen3LMHeadModel

GPT1 = functools.partial(GPTLMHeadModel, transformer=GPT1Model)
GPT3 = functools.partial(GPTLMHeadModel, transformer=GPT3Model)
GPT_NEO = functools.partial(GPTLMHeadModel, transformer=GPTNeoModel)
MISTRAL = functools.partial(
    LlamaLMHeadModel, attend=functools.partial(attention_fused, window=4096)
)

# Llama 1 and 2 and what has their shape: rotary angles as they were, one key head per head.
LLAMA2 = functools.partial(
    LlamaConfig, n_positions=4096, n_kv_head=None, rotary_base=10000.0, rope_factor=1.0
)
NARROW = {"n_embd": 4096, "n_layer": 32, "n_head": 32, "n_inner": 11008}  # 7B
MIDDLE = {"n_embd": 5120, "n_layer": 40, "n_head": 40, "n_inner": 13824}  # 13B
WIDE = {"n_embd": 8192, "n_layer": 80, "n_head": 64, "n_kv_head": 8, "n_inner": 28672}  # 70B
# GPT-3 175B and LLM-jp-3 172B are equally wide and deep.
WIDEST = {"n_embd": 12288, "n_layer": 96, "n_head": 96}
LLM_JP_172B = WIDEST | {"n_kv_head": 16, "n_inner": 38464}

MODEL_SIZES = {
    "GPT-1": (GPT1, GPTConfig(vocab_size=40478, n_positions=512)),
    "GPT-2 small": (GPTLMHeadModel, PRESETS["gpt2"]),
    "GPT-2 medium": (GPTLMHeadModel, PRESETS["gpt2-medium"]),
    "GPT-2 large": (GPTLMHeadModel, PRESETS["gpt2-large"]),
    "GPT-2 XL": (GPTLMHeadModel, PRESETS["gpt2-xl"]),
    "CodeGPT": (GPTLMHeadModel, GPTConfig(vocab_size=50001)),
    # Source: brown2020gpt3, table 2.1. There XL has 24 heads of 128, which do not make up its
    # width of 2048, and 13B a width of 5140, which is not that of its 40 heads of 128.
    "GPT-3 Small": (GPT3, GPT3Config(n_embd=768, n_layer=12, n_head=12)),
    "GPT-3 Medium": (GPT3, GPT3Config(n_embd=1024, n_layer=24, n_head=16)),
    "GPT-3 Large": (GPT3, GPT3Config(n_embd=1536, n_layer=24, n_head=16)),
    "GPT-3 XL": (GPT3, GPT3Config(n_embd=2048, n_layer=24, n_head=16)),
    "GPT-3 2.7B": (GPT3, GPT3Config(n_embd=2560, n_layer=32, n_head=32)),
    "GPT-3 6.7B": (GPT3, GPT3Config(n_embd=4096, n_layer=32, n_head=32)),
    "GPT-3 13B": (GPT3, GPT3Config(n_embd=5120, n_layer=40, n_head=40)),
    "GPT-3 175B": (GPT3, GPT3Config(**WIDEST)),
    "GPT-Neo 2.7B": (GPT_NEO, GPTNeoConfig()),
    "GPT-J 6B": (GPTJLMHeadModel, GPTJConfig()),
    "GPT-NeoX-20B": (GPTNeoXLMHeadModel, GPTNeoXConfig()),
    "rinna japanese-gpt-neox-3.6b": (
        GPTNeoXLMHeadModel,
        GPTNeoXConfig(vocab_size=32000, n_embd=2816, n_layer=36, n_head=22, rotary_width=None,
                      parallel=False),
    ),
    "LLaMA 7B": (LlamaLMHeadModel, LLAMA2(vocab_size=32000, n_positions=2048, **NARROW)),
    "Llama 2 7B": (LlamaLMHeadModel, LLAMA2(vocab_size=32000, **NARROW)),
    "Llama 2 70B": (LlamaLMHeadModel, LLAMA2(vocab_size=32000, **WIDE)),
    "Swallow 7B": (LlamaLMHeadModel, LLAMA2(vocab_size=43176, **NARROW)),
    "Swallow 70B": (LlamaLMHeadModel, LLAMA2(vocab_size=43176, **WIDE)),
    "Sarashina2 7B": (LlamaLMHeadModel, LLAMA2(vocab_size=102400, **NARROW)),
    "Sarashina2 13B": (LlamaLMHeadModel, LLAMA2(vocab_size=102400, **MIDDLE)),
    "PLaMo-13B": (PLaMoLMHeadModel, PLaMoConfig()),
    "llm-jp-3-13b": (LlamaLMHeadModel, LLAMA2(vocab_size=99584, **MIDDLE)),
    "llm-jp-3-172b": (LlamaLMHeadModel, LLAMA2(vocab_size=99840, **LLM_JP_172B)),
    "Mistral 7B v0.1": (
        MISTRAL,
        LLAMA2(vocab_size=32000, n_positions=8192, **NARROW | {"n_kv_head": 8, "n_inner": 14336}),
    ),
    "Mixtral 8x7B": (
        LlamaLMHeadModel,
        LLAMA2(vocab_size=32000, n_positions=32768, rotary_base=1e6, n_experts=8,
               n_experts_per_token=2, **NARROW | {"n_kv_head": 8, "n_inner": 14336}),
    ),
    "Llama 3.1 8B": (LlamaLMHeadModel, LlamaConfig()),
    "Llama 3.1 70B": (LlamaLMHeadModel, LlamaConfig(**WIDE)),
    "Llama 3.1 405B": (
        LlamaLMHeadModel, LlamaConfig(n_embd=16384, n_layer=126, n_head=128, n_inner=53248)
    ),
    "Qwen2.5 7B": (Qwen2LMHeadModel, Qwen2Config()),
    "Qwen2.5 72B": (
        Qwen2LMHeadModel, Qwen2Config(layer_norm_epsilon=1e-5, **WIDE | {"n_inner": 29568})
    ),
    "Qwen3 8B": (Qwen3LMHeadModel, Qwen3Config()),
    "Qwen3 32B": (
        Qwen3LMHeadModel, Qwen3Config(n_embd=5120, n_layer=64, n_head=64, n_inner=25600)
    ),
    "Qwen3 30B-A3B": (
        Qwen3LMHeadModel,
        Qwen3Config(n_embd=2048, n_layer=48, n_head=32, n_kv_head=4, n_inner=768, n_experts=128,
                    n_experts_per_token=8),
    ),
    "Qwen3 235B-A22B": (
        Qwen3LMHeadModel,
        Qwen3Config(n_embd=4096, n_layer=94, n_head=64, n_kv_head=4, n_inner=1536, n_experts=128,
                    n_experts_per_token=8),
    ),
    "Gemma 2 2B": (Gemma2LMHeadModel, Gemma2Config()),
    "Gemma 2 9B": (
        Gemma2LMHeadModel,
        Gemma2Config(n_embd=3584, n_layer=42, n_head=16, n_kv_head=8, n_inner=14336),
    ),
    "Gemma 2 27B": (
        Gemma2LMHeadModel,
        Gemma2Config(n_embd=4608, n_layer=46, n_head=32, n_kv_head=16, n_inner=36864,
                     head_width=128, score_width=144),
    ),
    "Gemma 3 1B": (
        Gemma3LMHeadModel,
        Gemma3Config(n_positions=32768, n_embd=1152, n_layer=26, n_head=4, n_kv_head=1,
                     n_inner=6912, window=512, rope_factor=1.0),
    ),
    "Gemma 3 4B": (Gemma3LMHeadModel, Gemma3Config()),
    "Gemma 3 12B": (
        Gemma3LMHeadModel,
        Gemma3Config(n_embd=3840, n_layer=48, n_head=16, n_kv_head=8, n_inner=15360),
    ),
    "Gemma 3 27B": (
        Gemma3LMHeadModel,
        Gemma3Config(n_embd=5376, n_layer=62, n_head=32, n_kv_head=16, n_inner=21504,
                     head_width=128, score_width=168),
    ),
    "OLMo 2 7B": (OLMo2LMHeadModel, OLMo2Config()),
    "OLMo 2 13B": (OLMo2LMHeadModel, OLMo2Config(**MIDDLE)),
    "gpt-oss-20b": (GPTOSSLMHeadModel, GPTOSSConfig(n_layer=24, n_experts=32)),
    "gpt-oss-120b": (GPTOSSLMHeadModel, GPTOSSConfig()),
    "DeepSeek-V3": (DeepSeek3LMHeadModel, DeepSeek3Config()),
}  # fmt: skip


def built(name):
    """Return the model of this name of MODEL_SIZES on the meta device: its shapes, without numbers.

    Raises ValueError for a name that is not in MODEL_SIZES.
    """
    check_choice("name", name, MODEL_SIZES)
    model, config = MODEL_SIZES[name]
    with torch.device("meta"):
        return model(config)


def count_all(model):
    """Return the number of parameters of a model; what is shared is counted once.

    Raises ValueError unless model is a module.
    """
    check_module("model", model)
    return sum(parameter.numel() for parameter in model.parameters())


def count_active(model):
    """Return the number of parameters that take part in one token: of experts, the chosen ones.

    The token embedding counts, as in the numbers of Mixtral and Qwen3; gpt-oss and DeepSeek-V3
    leave it out. Raises ValueError unless model is a module.
    """
    check_module("model", model)
    idle = 0
    for module in model.modules():
        if isinstance(module, Experts):
            idle += count_all(module.experts[0]) * (
                len(module.experts) - module.n_experts_per_token
            )
    return count_all(model) - idle
