"""The shape of a GPT, and published sizes: the four of GPT-2, and GPT-3. Imports no torch."""

from dataclasses import dataclass

ACTIVATION_NAMES = ("gelu", "gelu_erf", "relu", "swish")


@dataclass(frozen=True)
class GPTConfig:
    """Everything that fixes the shape of a GPT; the defaults are GPT-2 (124M).

    vocab_size, n_positions, n_embd, n_layer and n_head are V, the longest
    sequence, C, L and H. n_inner is F, the width inside the MLP; None means
    4 * n_embd. activation is "gelu" (GPT-2's tanh form), "gelu_erf", "relu" or
    "swish". dropout is a probability, used in training only. layer_norm_epsilon
    is added to the variance, initializer_range is a standard deviation.

    Raises ValueError for a value that no model can have.
    Source: radford2019gpt2.
    """

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None
    activation: str = "gelu"
    dropout: float = 0.1
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02

    def __post_init__(self):
        """Refuse values that no model can have."""
        for name in ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head"):
            check_positive_integer(name, getattr(self, name))
        if self.n_inner is not None:
            check_positive_integer("n_inner", self.n_inner)
        if self.n_embd % self.n_head:
            raise ValueError(
                f"n_embd={self.n_embd} does not divide into n_head={self.n_head} heads;"
                f" use a multiple of {self.n_head}"
            )
        check_choice("activation", self.activation, ACTIVATION_NAMES)
        check_real("dropout", self.dropout, at_least=0, below=1)
        check_real("layer_norm_epsilon", self.layer_norm_epsilon, above=0)
        check_real("initializer_range", self.initializer_range, at_least=0)

    @property
    def head_width(self):
        """Return D, the width of one head."""
        return self.n_embd // self.n_head

    @property
    def mlp_width(self):
        """Return F, the width inside the MLP."""
        return 4 * self.n_embd if self.n_inner is None else self.n_inner


def check_choice(name, value, choices):
    """Raise ValueError unless value is one of the names in choices."""
    if value not in choices:
        raise ValueError(f"{name}={value!r} is unknown; use one of {tuple(choices)}")


def check_positive_integer(name, value):
    """Raise ValueError unless value is an integer of at least 1 (a bool is not one)."""
    if type(value) is not int or value < 1:
        raise ValueError(f"{name}={value!r} must be a positive integer, such as 1 or 64")


def check_real(name, value, *, at_least=None, above=None, below=None):
    """Raise ValueError unless value is a finite real number within the bounds that are given."""
    inside = (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < float("inf")
        and (at_least is None or value >= at_least)
        and (above is None or value > above)
        and (below is None or value < below)
    )
    if not inside:
        bounds = {">=": at_least, ">": above, "<": below}
        wanted = " and ".join(f"{sign} {at}" for sign, at in bounds.items() if at is not None)
        raise ValueError(f"{name}={value!r} must be a finite number {wanted}".rstrip())


def check_config(config):
    """Raise ValueError unless config is a GPTConfig."""
    if not isinstance(config, GPTConfig):
        raise ValueError(f"config={config!r} must be a GPTConfig, such as PRESETS['demo']")


PRESETS = {
    "gpt2": GPTConfig(),
    "gpt2-medium": GPTConfig(n_embd=1024, n_layer=24, n_head=16),
    "gpt2-large": GPTConfig(n_embd=1280, n_layer=36, n_head=20),
    "gpt2-xl": GPTConfig(n_embd=1600, n_layer=48, n_head=25),
    # GPT-3 175B. Source: brown2020gpt3, table 2.1. Every second layer of it is sparse.
    "gpt3": GPTConfig(n_positions=2048, n_embd=12288, n_layer=96, n_head=96),
    "demo": GPTConfig(vocab_size=1000, n_positions=128, n_embd=128, n_layer=4, n_head=4),
}
