"""A ladder from GPT-1 to Llama and beyond: variations of the small run, each one change of another.

All read the same tokens in the same order, with settings that were tuned for none of them. The
head of each is its token embedding, as in GPT-2. What begins too small learns late, so that all
rungs are there twice, with two sizes of their first weights.
"""

import functools
from dataclasses import replace
from typing import NamedTuple

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTMLP
from gpt_helpers.config import PRESETS
from gpt_helpers.experiments.small_run import BASE_RUN, CONFIG, Variation
from gpt_helpers.variants.decoder import RotaryAttention, RotaryBlock, RotaryModel
from gpt_helpers.variants.gpt1 import GPT1Model
from gpt_helpers.variants.gpt_neox import GPTNeoXConfig, GPTNeoXModel
from gpt_helpers.variants.llama import LlamaConfig, LlamaModel
from gpt_helpers.variants.modern import SquaredReLUMLP
from gpt_helpers.variants.qwen3 import Qwen3Config, Qwen3Model
from gpt_helpers.variants.rope_scaling import llama3_rotation
from gpt_helpers.variants.rotary import BASE


class MLPWithoutBiases(GPTMLP):
    """GPT-2's MLP of which only the matrices are left."""

    def __init__(self, config):
        """Make the two projections, and take their biases away."""
        super().__init__(config)
        self.c_fc.bias = self.c_proj.bias = None


class UngatedBlock(RotaryBlock):
    """A LlamaBlock with an MLP of two projections, of the class mlp."""

    def __init__(self, config, attend=attention_fused, mlp=MLPWithoutBiases):
        """Make the two sub-layers and their norms."""
        super().__init__(config, nn.RMSNorm, RotaryAttention(config, attend), mlp(config))


class UngatedModel(RotaryModel):
    """A LlamaModel with MLPs of two projections."""

    def __init__(self, config, attend=attention_fused):
        """Make the layers."""
        super().__init__(config, attend, UngatedBlock, nn.RMSNorm, llama3_rotation)


class SquaredModel(RotaryModel):
    """A LlamaModel with SquaredReLUMLPs."""

    def __init__(self, config, attend=attention_fused):
        """Make the layers."""
        block = functools.partial(UngatedBlock, mlp=SquaredReLUMLP)
        super().__init__(config, attend, block, nn.RMSNorm, llama3_rotation)


class Rung(NamedTuple):
    """A variation of the base run, and the name of the rung that it is one change of."""

    variation: Variation
    on: str | None


UNSCALED_RUN = Variation(residual_scaling=False)
POST_LN_RUN = replace(UNSCALED_RUN, transformer=GPT1Model)
TENTH = {"max_lr": 3e-4, "min_lr": 3e-5}

SEQUENTIAL = {"rotary_width": None, "parallel": False}
ROTARY_RUN = Variation(shape=SEQUENTIAL, kind=GPTNeoXConfig, transformer=GPTNeoXModel)

PLAIN = {"rotary_base": BASE, "rope_factor": 1.0}  # the frequencies of the rung before
UNGATED_RUN = Variation(shape=PLAIN, kind=LlamaConfig, transformer=UngatedModel)

GATED = PLAIN | {"n_inner": 256}  # 8/3 C: three matrices are as large as two of width 4C
LLAMA_RUN = Variation(shape=GATED, kind=LlamaConfig, transformer=LlamaModel)
QWEN3 = GATED | {"head_width": CONFIG.head_width}
EXPERTS = GATED | {"n_inner": 128, "n_experts": 4, "n_experts_per_token": 2}  # two are one

GPT2, LLAMA = "residual scaling", "SwiGLU"
LADDER = {
    "post-LN": Rung(POST_LN_RUN, None),
    "pre-LN": Rung(UNSCALED_RUN, "post-LN"),
    GPT2: Rung(BASE_RUN, "pre-LN"),
    "RoPE": Rung(ROTARY_RUN, GPT2),
    "RMSNorm, no biases": Rung(UNGATED_RUN, "RoPE"),
    LLAMA: Rung(LLAMA_RUN, "RMSNorm, no biases"),
}
BESIDE = {
    "post-LN, 3e-4": Rung(replace(POST_LN_RUN, settings=TENTH), "post-LN"),
    "ReLU²": Rung(replace(UNGATED_RUN, transformer=SquaredModel), LLAMA),
    "QK-norm": Rung(Variation(shape=QWEN3, kind=Qwen3Config, transformer=Qwen3Model), LLAMA),
    "GQA": Rung(replace(LLAMA_RUN, shape=GATED | {"n_kv_head": 1}), LLAMA),
    "experts": Rung(replace(LLAMA_RUN, shape=EXPERTS), LLAMA),
    "Muon": Rung(replace(LLAMA_RUN, settings={"optimizer": "muon"}), LLAMA),
}
TIMED = LADDER | BESIDE
# All again, with weights that begin as large for this width as those of GPT-2 for its own.
WIDE, RATIO = ", wide start", PRESETS["gpt2"].n_embd / CONFIG.n_embd
WIDE_STD = CONFIG.initializer_range * RATIO**0.5
WIDER = {
    rung + WIDE: Rung(replace(variation, initial_std=WIDE_STD), on and on + WIDE)
    for rung, (variation, on) in TIMED.items()
}
RUNGS = TIMED | WIDER
