"""Everything that fixes a training run besides the model and the data. Imports no torch."""

from dataclasses import dataclass

from gpt_helpers.validation import check_choice, check_flag, check_integer, check_real

SCHEDULES = ("cosine", "wsd")
OPTIMIZERS = ("adamw", "muon")
PRECISIONS = ("float32", "bfloat16", "float16")


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
        """Refuse values out of range, and keep numbers as Python's own, which JSON can hold."""
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("precision", self.precision, PRECISIONS)
        if type(self.betas) is not tuple or len(self.betas) != 2:
            raise ValueError(f"betas={self.betas!r} must be a pair, such as (0.9, 0.95)")
        for name, value in self.checked_numbers().items():
            object.__setattr__(self, name, value)  # the class is frozen

    def checked_numbers(self):
        """Return the fields that are numbers, as Python's own; raise ValueError for a wrong one."""
        ends = self.schedule_steps
        if ends is not None:
            ends = check_integer("schedule_steps", ends, at_least=1)
        checked = check_schedule(**self.schedule_arguments) | {"schedule_steps": ends}
        for name in ("total_steps", "accumulation", "evaluate_every", "save_every"):
            checked[name] = check_integer(name, getattr(self, name), at_least=1)
        for name in ("muon_lr", "epsilon"):
            checked[name] = check_real(name, getattr(self, name), above=0)
        checked["betas"] = tuple(check_real("betas", b, at_least=0, below=1) for b in self.betas)
        checked["weight_decay"] = check_real("weight_decay", self.weight_decay, at_least=0)
        if self.max_grad_norm is not None:
            checked["max_grad_norm"] = check_real("max_grad_norm", self.max_grad_norm, above=0)
        checked["decay_embeddings"] = check_flag("decay_embeddings", self.decay_embeddings)
        checked["seed"] = check_integer("seed", self.seed, at_least=0)
        return checked

    @property
    def schedule_arguments(self):
        """Return the keyword arguments of optimizers.learning_rate."""
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
    """Return the numbers among these arguments of optimizers.learning_rate, as Python's own.

    Raises ValueError unless all fit together.
    """
    check_choice("schedule", schedule, SCHEDULES)
    checked = {
        "max_lr": check_real("max_lr", max_lr, above=0),
        "min_lr": check_real("min_lr", min_lr, at_least=0),
        "warmup_steps": check_integer("warmup_steps", warmup_steps, at_least=0),
        "total_steps": check_integer("total_steps", total_steps, at_least=1),
        "cooldown_share": check_real("cooldown_share", cooldown_share, at_least=0),
    }
    if min_lr > max_lr:
        raise ValueError(f"min_lr={min_lr} is above max_lr={max_lr}; lower it")
    if warmup_steps > total_steps:
        raise ValueError(
            f"warmup_steps={warmup_steps} must be an integer from 0 to total_steps={total_steps}"
        )
    if cooldown_share > 1:
        raise ValueError(f"cooldown_share={cooldown_share} must be at most 1, the whole schedule")
    return checked
