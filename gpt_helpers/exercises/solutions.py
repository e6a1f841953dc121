"""What in the book solves an exercise: an answer may not call it."""

from torch.nn.functional import layer_norm

from gpt_helpers.architecture.attention import attention, attention_fused, causal_mask
from gpt_helpers.architecture.heads import after_same
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
from gpt_helpers.variants.costs import cache_bytes
from gpt_helpers.variants.decoder import RotaryModel
from gpt_helpers.variants.sizes import count_all

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
