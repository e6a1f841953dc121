"""A ladder from GPT-1 to Llama and beyond: variations of the small run, each one change of another.

All read the same tokens in the same order, with settings that were tuned for none of them. The
head of each is its token embedding, as in GPT-2. What begins too small learns late, so that all
rungs are there twice, with two sizes of their first weights.
"""

import functools
from dataclasses import asdict, replace
from typing import NamedTuple

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTMLP
from gpt_helpers.config import PRESETS, GPTConfig
from gpt_helpers.experiments.small_run import BASE_RUN
from gpt_helpers.training.runs import Run
from gpt_helpers.validation import check_instance, checks
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
    """A run, and the name of the rung that it is one change of."""

    run: Run
    on: str | None


GPT2, LLAMA, WIDE = "residual scaling", "SwiGLU", ", wide start"
SEQUENTIAL = {"rotary_width": None, "parallel": False}
PLAIN = {"rotary_base": BASE, "rope_factor": 1.0}  # the frequencies of the rung before
TENTH = {"max_lr": 3e-4, "min_lr": 3e-5}


def ladder_rungs(base):
    """Return {rung: Rung} of the ladder from GPT-1 to Llama, made of changes of a base run."""
    unscaled = replace(base, residual_scaling=False)
    gated = {"n_inner": base.config.n_embd * 8 // 3}  # three matrices are as large as two of 4C
    return {
        "post-LN": Rung(replace(unscaled, transformer=GPT1Model), None),
        "pre-LN": Rung(unscaled, "post-LN"),
        GPT2: Rung(base, "pre-LN"),
        "RoPE": Rung(of_family(base, GPTNeoXConfig, GPTNeoXModel, SEQUENTIAL), GPT2),
        "RMSNorm, no biases": Rung(of_family(base, LlamaConfig, UngatedModel, PLAIN), "RoPE"),
        LLAMA: Rung(of_family(base, LlamaConfig, LlamaModel, PLAIN | gated), "RMSNorm, no biases"),
    }


def rungs_beside(base):
    """Return {rung: Rung} of the changes that stand beside the ladder of a base run."""
    rungs = ladder_rungs(base)
    llama = rungs[LLAMA].run
    half = llama.config.n_inner // 2
    experts = {"n_inner": half, "n_experts": 4, "n_experts_per_token": 2}  # two are one
    qwen3 = {"rotary_base": BASE, "head_width": base.config.head_width}
    qwen3 |= {"n_inner": llama.config.n_inner}
    return {
        "post-LN, 3e-4": Rung(rungs["post-LN"].run.varied(TENTH), "post-LN"),
        "ReLU²": Rung(replace(rungs["RMSNorm, no biases"].run, transformer=SquaredModel), LLAMA),
        "QK-norm": Rung(of_family(base, Qwen3Config, Qwen3Model, qwen3), LLAMA),
        "GQA": Rung(llama.varied(config={"n_kv_head": 1}), LLAMA),
        "experts": Rung(llama.varied(config=experts), LLAMA),
        "Muon": Rung(llama.varied({"optimizer": "muon"}), LLAMA),
    }


def of_family(base, kind, transformer, shape):
    """Return the base run with the transformer of a family, whose config is of another kind."""
    config = kind(**asdict(base.config) | shape)
    return replace(base, config=config, transformer=transformer)


def with_wide_start(rungs):
    """Return all rungs again, with weights as large for their width as GPT-2's are for its own."""
    return {
        name + WIDE: Rung(replace(run, initial_std=wide_std(run.config)), on and on + WIDE)
        for name, (run, on) in rungs.items()
    }


@checks(config=functools.partial(check_instance, kind=GPTConfig))
def wide_std(config):
    """Return the scale of GPT-2's weights for the width of a config."""
    return config.initializer_range * (PRESETS["gpt2"].n_embd / config.n_embd) ** 0.5


LADDER, BESIDE = ladder_rungs(BASE_RUN), rungs_beside(BASE_RUN)
TIMED = LADDER | BESIDE
WIDER = with_wide_start(TIMED)
RUNGS = TIMED | WIDER
