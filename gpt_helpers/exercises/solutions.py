"""What in the book, or in PyTorch, solves an exercise: an answer may not call it."""

import inspect

from torch.nn.functional import layer_norm
from torch.optim import Optimizer, adam, adamw

from gpt_helpers.architecture.attention import (
    attention,
    attention_fused,
    attention_weights,
    causal_mask,
    visible_softmax,
)
from gpt_helpers.architecture.generation import generate
from gpt_helpers.architecture.heads import after_same
from gpt_helpers.architecture.losses import token_losses
from gpt_helpers.architecture.model import (
    GPTMLP,
    GPTAttention,
    GPTBlock,
    GPTLMHeadModel,
    GPTModel,
    split_heads,
)
from gpt_helpers.architecture.sampling import apply_temperature, top_k_filter, top_p_filter
from gpt_helpers.evaluation.accuracy import wilson
from gpt_helpers.evaluation.losses import bits_per_byte
from gpt_helpers.experiments.voting import majority
from gpt_helpers.optimization.flash import FlashAttention, attention_flash
from gpt_helpers.optimization.speculative import expected_acceptance
from gpt_helpers.optimization.tiled import TiledAttention, attention_tiled
from gpt_helpers.scaling_laws.counts import kv_cache_bytes
from gpt_helpers.scaling_laws.data_limits import effective_amount
from gpt_helpers.scaling_laws.laws import LossLaw
from gpt_helpers.training.lora import LowRankUpdate, add_lora
from gpt_helpers.training.optimizers import learning_rate
from gpt_helpers.variants.costs import cache_bytes
from gpt_helpers.variants.decoder import RotaryModel
from gpt_helpers.variants.sizes import count_all


def functions_in(*modules):
    """Return the functions that stand in these modules, those that begin with _ among them."""
    return [
        function
        for module in modules
        for function in vars(module).values()
        if inspect.isfunction(function) and function.__module__ == module.__name__
    ]


# {exercise: {function: parameter}}. With a parameter, the function may be called without it.
SOLUTIONS = {
    "window_mask": {causal_mask: "window"},
    "layer_norm": {layer_norm: None},
    "bits_from_nats": {bits_per_byte: None},
    "tokens_per_parameter": {LossLaw.optimum: None},
    "worth_of_repeated": {effective_amount: None},
    "tiled_attention": dict.fromkeys(
        (
            attention, attention_fused, attention_tiled, attention_flash,
            TiledAttention.forward, FlashAttention.forward,
        )
    ),
    "windowed_cache_bytes": dict.fromkeys((cache_bytes, kv_cache_bytes)),
    "acceptance": {expected_acceptance: None},
    "llama_parameters": dict.fromkeys((count_all, RotaryModel.__init__)),
    "induction_keys": {after_same: None},
    "majority_vote": {majority: None},
    "lora_parameters": dict.fromkeys((add_lora, LowRankUpdate.__init__)),
    "beyond_guessing": {wilson: None},
}  # fmt: skip

# What of the book, and of PyTorch's operations, a function of the workbook may not call.
OF_THE_BOOK = dict.fromkeys(
    (
        attention, attention_fused, attention_tiled, attention_flash, attention_weights,
        visible_softmax, causal_mask, split_heads, TiledAttention.forward, FlashAttention.forward,
        GPTAttention.forward, GPTMLP.forward, GPTBlock.forward, GPTModel.forward,
        GPTLMHeadModel.forward, token_losses, apply_temperature, top_k_filter, top_p_filter,
        generate, learning_rate, Optimizer.__init__, *functions_in(adam, adamw),
    )
)  # fmt: skip
OF_TORCH = (  # parts of the names of operations
    "softmax", "layer_norm", "group_norm", "batch_norm", "gelu", "attention", "transformer_encoder",
    "nll_loss", "adam",
)  # fmt: skip
