"""The shape of a GPT, and published sizes: the four of GPT-2, and GPT-3. Imports no torch."""

from dataclasses import dataclass

from gpt_helpers.validation import check_choice, check_fields, check_integer, check_real

ACTIVATION_NAMES = ("gelu", "gelu_erf", "relu", "swish")
LARGEST_SIZE = 2**28  # a matrix of two such sizes is beyond all memory, but can be counted


@dataclass(frozen=True)
class GPTConfig:
    """Everything that fixes the shape of a GPT; the defaults are GPT-2 (124M).

    vocab_size, n_positions, n_embd, n_layer and n_head are V, the longest
    sequence, C, L and H. n_inner is F, the width inside the MLP; None means
    4 * n_embd. n_kv_head is G, the number of heads of keys and values; None
    means n_head, 1 is multi-query attention, between is grouped-query.
    activation is "gelu" (GPT-2's tanh form), "gelu_erf", "relu" or "swish".
    dropout is a probability, used in training only. layer_norm_epsilon is added
    to the variance, initializer_range is a standard deviation.

    Raises ValueError for a value that no model can have.
    Source: radford2019gpt2.
    """

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None
    n_kv_head: int | None = None
    activation: str = "gelu"
    dropout: float = 0.1
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02

    def __post_init__(self):
        """Refuse values that no model can have, and keep the others as plain numbers."""
        sizes = "vocab_size", "n_positions", "n_embd", "n_layer", "n_head"
        optional = [name for name in ("n_inner", "n_kv_head") if getattr(self, name) is not None]
        check_fields(self, check_integer, *sizes, *optional, at_least=1)
        check_fields(self, check_integer, *sizes, *optional, at_most=LARGEST_SIZE)
        check_fields(self, check_real, "dropout", at_least=0, below=1)
        check_fields(self, check_real, "layer_norm_epsilon", above=0)
        check_fields(self, check_real, "initializer_range", at_least=0)
        check_choice("activation", self.activation, ACTIVATION_NAMES)
        if self.n_embd % self.n_head:
            found = f"n_embd={self.n_embd} does not divide into n_head={self.n_head} heads"
            raise ValueError(f"{found}; use a multiple of {self.n_head}")
        if self.n_head % self.key_heads:
            found = f"n_head={self.n_head} heads cannot share n_kv_head={self.n_kv_head} evenly"
            raise ValueError(f"{found}; use a divisor of n_head")

    @property
    def head_width(self):
        """Return D, the width of one head."""
        return self.n_embd // self.n_head

    @property
    def key_heads(self):
        """Return G, the number of heads of keys and values. Source: ainslie2023gqa."""
        return self.n_head if self.n_kv_head is None else self.n_kv_head

    @property
    def key_width(self):
        """Return G*D, the numbers of a token's key in one layer, and of its value."""
        return self.key_heads * self.head_width

    @property
    def cached_widths(self):
        """Return the widths of what a cache keeps of a token for each of G heads: two of D."""
        return self.head_width, self.head_width

    @property
    def mlp_width(self):
        """Return F, the width inside the MLP."""
        return 4 * self.n_embd if self.n_inner is None else self.n_inner


def check_config(config, kind=GPTConfig, exact=False):
    """Raise ValueError unless config is a GPTConfig, or of the class of configs given.

    exact refuses classes that stand on it too: a model would not use what they add.
    """
    if not isinstance(config, kind) or (exact and type(config) is not kind):
        example = "PRESETS['demo']" if kind is GPTConfig else f"{kind.__name__}()"
        raise ValueError(f"config={config!r} must be a {kind.__name__}, such as {example}")


def check_fixed(config, **values):
    """Raise ValueError unless each field of config that is named has one of the values given.

    So a family refuses what others have a choice of, and it has not.
    """
    for name, fixed in values.items():
        found = getattr(config, name)
        if found not in fixed:
            kind = type(config).__name__
            raise ValueError(f"{name}={found!r} is no choice of {kind}; leave it at {fixed[0]!r}")


PRESETS = {
    "gpt2": GPTConfig(),
    "gpt2-medium": GPTConfig(n_embd=1024, n_layer=24, n_head=16),
    "gpt2-large": GPTConfig(n_embd=1280, n_layer=36, n_head=20),
    "gpt2-xl": GPTConfig(n_embd=1600, n_layer=48, n_head=25),
    # GPT-3 175B. Source: brown2020gpt3, table 2.1. Every second layer of it is sparse.
    "gpt3": GPTConfig(n_positions=2048, n_embd=12288, n_layer=96, n_head=96),
    "demo": GPTConfig(vocab_size=1000, n_positions=128, n_embd=128, n_layer=4, n_head=4),
}
