"""One kind of run: everything that fixes a training but the tokens, and what a change changes."""

import dataclasses
from dataclasses import dataclass
from functools import partial

import torch

from gpt_helpers.architecture.model import GPTLMHeadModel, init_weights
from gpt_helpers.config import GPTConfig
from gpt_helpers.text.batches import Batches, fixed_windows
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.validation import (
    check_callable,
    check_count,
    check_flag,
    check_instance,
    check_integer,
    check_natural,
    check_real,
    optional,
)


@dataclass(frozen=True)
class Run:
    """What a training run needs besides tokens; varied gives one that differs in something.

    model is a class that takes config, and transformer what it is given as transformer, if not
    its own. batch_size counts the windows of config.n_positions tokens that a step reads, on all
    processes together. Where initial_std is given, all matrices begin at this scale; without
    residual_scaling, projections into the stream begin as large as other matrices. bad_step is the
    step, counted from 0, whose batch is replaced by random tokens. n_unique is how many of the
    tokens are read, again and again; None reads all.
    """

    config: GPTConfig
    settings: TrainingSettings
    batch_size: int
    model: type = GPTLMHeadModel
    transformer: type | None = None
    initial_std: float | None = None
    residual_scaling: bool = True
    bad_step: int | None = None
    n_unique: int | None = None

    def __post_init__(self):
        """Refuse values that no run can have."""
        check_instance("config", self.config, GPTConfig)
        check_instance("settings", self.settings, TrainingSettings)
        check_count("batch_size", self.batch_size)
        check_callable("model", self.model)
        optional(check_callable)("transformer", self.transformer)
        optional(partial(check_real, above=0))("initial_std", self.initial_std)
        check_flag("residual_scaling", self.residual_scaling)
        optional(check_natural)("bad_step", self.bad_step)
        at_least = self.config.n_positions
        optional(partial(check_integer, at_least=at_least))("n_unique", self.n_unique)

    def varied(self, settings=None, config=None, **changes):
        """Return the run with changes, {name: value}, of its settings, of its config and itself."""
        return dataclasses.replace(
            self,
            settings=dataclasses.replace(self.settings, **settings or {}),
            config=dataclasses.replace(self.config, **config or {}),
            **changes,
        )

    def with_seed(self, seed):
        """Return the run with other weights, batches and dropout."""
        return self.varied({"seed": seed})

    def stopped_after(self, n_steps):
        """Return the beginning of the run: so many steps, on the same schedule. None: the run."""
        if n_steps is None:
            return self
        check_count("n_steps", n_steps)
        ends = self.settings.schedule_steps or self.settings.total_steps
        return self.varied({"total_steps": n_steps, "schedule_steps": ends})

    def changes_from(self, base):
        """Return what differs from another run, seed aside, as one line of text, or "none"."""
        theirs = fields_of(base)
        changes = {name: v for name, v in fields_of(self).items() if v != theirs.get(name)}
        texts = (f"{name}={getattr(v, '__name__', v)}" for name, v in changes.items())
        return " ".join(texts) or "none"

    @property
    def step_tokens(self):
        """Return the number of tokens that a step reads."""
        return self.batch_size * self.config.n_positions

    def new_model(self):
        """Return the model as it is before the first step, drawn by the seed."""
        torch.manual_seed(self.settings.seed)
        own = {} if self.transformer is None else {"transformer": self.transformer}
        model = self.model(self.config, **own)
        if self.initial_std is not None or not self.residual_scaling:
            std = self.initial_std or self.config.initializer_range
            n_sums = 2 * self.config.n_layer if self.residual_scaling else 1
            init_weights(model, std, residual_std=std / n_sums**0.5)
        return model

    def batches(self, tokens):
        """Return what the run reads of tokens (N,), step by step."""
        n_tokens = self.config.n_positions
        if self.n_unique is not None:
            tokens = fixed_windows(tokens, n_tokens, self.n_unique // n_tokens).flatten()
        batches = Batches(tokens, self.batch_size, n_tokens, self.settings.seed)
        if self.bad_step is None:
            return batches
        return WithBadBatch(batches, self.bad_step, self.config.vocab_size)


def fields_of(run):
    """Return {name: value} of the settings, the config and the run itself, but for the seed."""
    inner = {"settings": run.settings, "config": run.config}
    own = {f.name: getattr(run, f.name) for f in dataclasses.fields(run) if f.name not in inner}
    parts = [dataclasses.asdict(part) for part in inner.values()]
    return {name: v for part in (*parts, own) for name, v in part.items() if name != "seed"}


class WithBadBatch:
    """Batches of which one is replaced by random tokens."""

    def __init__(self, batches, bad_step, vocab_size):
        """Remember which."""
        self.batches, self.bad_step, self.vocab_size = batches, bad_step, vocab_size

    def __getitem__(self, step):
        """Return the batch of a step."""
        batch = self.batches[step]
        if step != self.bad_step:
            return batch
        generator = torch.Generator().manual_seed(step)
        return torch.randint(self.vocab_size, batch.shape, generator=generator)
