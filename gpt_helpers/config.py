"""The shape of a GPT, and published sizes: the four of GPT-2, and GPT-3. Imports no torch."""

from dataclasses import dataclass

ACTIVATION_NAMES = ("gelu", "gelu_erf", "relu", "swish")
SCHEDULES = ("cosine", "wsd")
OPTIMIZERS = ("adamw", "muon")
PRECISIONS = ("float32", "bfloat16", "float16")


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
        """Refuse values that no model can have."""
        for name in ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head"):
            check_positive_integer(name, getattr(self, name))
        for name in ("n_kv_head", "n_inner"):
            if getattr(self, name) is not None:
                check_positive_integer(name, getattr(self, name))
        if self.n_embd % self.n_head:
            raise ValueError(
                f"n_embd={self.n_embd} does not divide into n_head={self.n_head} heads;"
                f" use a multiple of {self.n_head}"
            )
        if self.n_head % self.key_heads:
            raise ValueError(
                f"n_head={self.n_head} query heads cannot share n_kv_head={self.n_kv_head} evenly;"
                " use a divisor of n_head"
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


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that fixes a training run besides the model and the data.

    total_steps is where the run ends, schedule_steps where its schedule does (None: there
    too). cooldown_share is the share of the schedule in which "wsd" lowers the learning rate;
    0 keeps it constant. "muon" gives hidden matrices to Muon at muon_lr, the rest to AdamW at
    max_lr; both follow the schedule. max_grad_norm None does not clip. accumulation is the
    number of passes that a step is divided into. evaluate_every and save_every count steps.

    Raises ValueError for values out of range. betas, epsilon, weight_decay and max_grad_norm
    are GPT-3's. Source: brown2020gpt3, app. B.
    """

    total_steps: int = 1000
    max_lr: float = 3e-3
    min_lr: float = 3e-4
    warmup_steps: int = 50
    schedule: str = "cosine"
    schedule_steps: int | None = None
    cooldown_share: float = 0.2
    optimizer: str = "adamw"
    muon_lr: float = 0.02
    betas: tuple[float, float] = (0.9, 0.95)
    epsilon: float = 1e-8
    weight_decay: float = 0.1
    decay_embeddings: bool = True
    max_grad_norm: float | None = 1.0
    accumulation: int = 1
    precision: str = "float32"
    evaluate_every: int = 100
    save_every: int = 100
    seed: int = 0

    def __post_init__(self):
        """Refuse values out of range."""
        for name in ("total_steps", "accumulation", "evaluate_every", "save_every"):
            check_positive_integer(name, getattr(self, name))
        check_schedule(**self.schedule_arguments)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("precision", self.precision, PRECISIONS)
        if type(self.betas) is not tuple or len(self.betas) != 2:
            raise ValueError(f"betas={self.betas!r} must be a pair, such as (0.9, 0.95)")
        for beta in self.betas:
            check_real("betas", beta, at_least=0, below=1)
        check_real("muon_lr", self.muon_lr, above=0)
        check_real("epsilon", self.epsilon, above=0)
        check_real("weight_decay", self.weight_decay, at_least=0)
        if self.max_grad_norm is not None:
            check_real("max_grad_norm", self.max_grad_norm, above=0)
        if type(self.seed) is not int or self.seed < 0:
            raise ValueError(f"seed={self.seed!r} must be an integer of at least 0")

    @property
    def schedule_arguments(self):
        """Return the keyword arguments of training.learning_rate."""
        ends = self.total_steps if self.schedule_steps is None else self.schedule_steps
        return {
            "schedule": self.schedule,
            "max_lr": self.max_lr,
            "min_lr": self.min_lr,
            "warmup_steps": self.warmup_steps,
            "total_steps": ends,
            "cooldown_share": self.cooldown_share,
        }


def check_schedule(schedule, max_lr, min_lr, warmup_steps, total_steps, cooldown_share):
    """Raise ValueError unless these arguments of training.learning_rate fit together."""
    check_choice("schedule", schedule, SCHEDULES)
    check_real("max_lr", max_lr, above=0)
    check_real("min_lr", min_lr, at_least=0)
    if min_lr > max_lr:
        raise ValueError(f"min_lr={min_lr} is above max_lr={max_lr}; lower it")
    check_positive_integer("total_steps", total_steps)
    if type(warmup_steps) is not int or not 0 <= warmup_steps <= total_steps:
        raise ValueError(
            f"warmup_steps={warmup_steps!r} must be an integer from 0 to total_steps={total_steps}"
        )
    check_real("cooldown_share", cooldown_share, at_least=0)
    if cooldown_share > 1:
        raise ValueError(f"cooldown_share={cooldown_share} must be at most 1, the whole schedule")


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


def check_config(config, kind=GPTConfig):
    """Raise ValueError unless config is a GPTConfig, or of the class of configs given."""
    if not isinstance(config, kind):
        example = "PRESETS['demo']" if kind is GPTConfig else f"{kind.__name__}()"
        raise ValueError(f"config={config!r} must be a {kind.__name__}, such as {example}")


PRESETS = {
    "gpt2": GPTConfig(),
    "gpt2-medium": GPTConfig(n_embd=1024, n_layer=24, n_head=16),
    "gpt2-large": GPTConfig(n_embd=1280, n_layer=36, n_head=20),
    "gpt2-xl": GPTConfig(n_embd=1600, n_layer=48, n_head=25),
    # GPT-3 175B. Source: brown2020gpt3, table 2.1. Every second layer of it is sparse.
    "gpt3": GPTConfig(n_positions=2048, n_embd=12288, n_layer=96, n_head=96),
    "demo": GPTConfig(vocab_size=1000, n_positions=128, n_embd=128, n_layer=4, n_head=4),
}
