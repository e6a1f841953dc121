"""Low-rank adaptation: a trained matrix stays as it is, and a thin product is learned on top.

The matrix W is (N, K): N outputs, K inputs. The product B A has the rank R, far below both, and
so few numbers. It is added to W, not to the result of the layer: the formula is then the code.
"""

from collections import Counter

from torch import nn
from torch.nn.utils import parametrize

from gpt_helpers.architecture.modules import check_model
from gpt_helpers.architecture.operands import widened
from gpt_helpers.tensor_checks import check_generator
from gpt_helpers.validation import check_integer, check_real, check_sequence

ADAPTED_LAYERS = ("c_attn", "c_proj", "c_fc")


class LowRankUpdate(nn.Module):
    """W + (alpha / rank) B A, for W (N, K), with A (R, K) random and B (N, R) zero.

    At first nothing changes, and yet B has a gradient.
    Source: hu2021lora, eq. 3, sec. 4.1.
    """

    def __init__(self, weight, rank, alpha, generator=None):
        """Make A and B for a weight (N, K), where it is, in float32 at least."""
        super().__init__()
        n_outputs, n_inputs = weight.shape
        self.scale = alpha / rank
        self.A = nn.Parameter(widened(weight.new_empty(rank, n_inputs)))  # (R, K)
        self.B = nn.Parameter(widened(weight.new_zeros(n_outputs, rank)))  # (N, R)
        nn.init.normal_(self.A, std=n_inputs**-0.5, generator=generator)

    def forward(self, weight):
        """Return the updated weight (N, K)."""
        return (weight + self.scale * self.B @ self.A).type_as(weight)  # (N, K)


def add_lora(model, rank, alpha=None, layers=ADAPTED_LAYERS, generator=None):
    """Freeze the model, give each linear layer named in layers a LowRankUpdate, and return it.

    layers are the last parts of the names of modules, such as "c_attn" for "h.0.attn.c_attn".
    alpha, the strength of the update, is the rank unless given. A model changes in place; every
    call of it then multiplies B A anew, until merge_lora. Raises ValueError for a rank that some
    layer cannot have, a layer that is not there, and a model that has updates already.
    """
    check_model(model)
    if any(parametrize.is_parametrized(module) for module in model.modules()):
        raise ValueError("the model has updates of its weights already; call merge_lora first")
    chosen = linear_layers(model, layers)
    rank = check_rank(rank, chosen)
    alpha = rank if alpha is None else check_real("alpha", alpha, above=0)
    check_generator(generator)
    updates = [LowRankUpdate(layer.weight, rank, alpha, generator) for layer in chosen]
    trainable = {name for name, weight in model.named_parameters() if weight.requires_grad}
    model.trainable_before_lora = trainable
    model.requires_grad_(False)
    for layer, update in zip(chosen, updates, strict=True):
        parametrize.register_parametrization(layer, "weight", update)
    return model


def merge_lora(model):
    """Store each updated weight in place of its two parts, and return the model.

    It has the classes, names and shapes of before, and runs as fast; what was trainable before
    add_lora is again. Copies keep their updates. Raises ValueError for a model without updates.
    Source: hu2021lora, sec. 4.1 ("No Additional Inference Latency").
    """
    check_model(model)
    if not updates_of(model):
        raise ValueError("the model has no low-rank updates to merge; call add_lora first")
    for layer in [module for module in model.modules() if parametrize.is_parametrized(module)]:
        # A copy shares the class that torch made for the layer, and takes apart here.
        shared = type(layer)
        layer.__class__ = type(shared.__name__, shared.__bases__, dict(vars(shared)))
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    trainable = vars(model).pop("trainable_before_lora")
    for name, weight in model.named_parameters():
        weight.requires_grad_(name in trainable)
    return model


def count_trained(model):
    """Return how many numbers of the model a training would change."""
    check_model(model)
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def updates_of(model):
    """Return every LowRankUpdate of a model, in the order of its layers."""
    return [module for module in model.modules() if isinstance(module, LowRankUpdate)]


def linear_layers(model, layers):
    """Return the linear layers whose names end in one of layers; raise ValueError if one has none.

    A layer that shares its weight, as a tied head does, is not changed alone: that is refused.
    """
    check_sequence("layers", layers, str)
    named = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    last_parts = {name.rpartition(".")[2] for name in named}
    missing = [layer for layer in layers if layer not in last_parts]
    if missing:
        raise ValueError(f"layers={missing} are none of {sorted(last_parts)}")
    chosen = [m for name, m in named.items() if name.rpartition(".")[2] in layers]
    owners = Counter(w for m in model.modules() for w in m.parameters(recurse=False))
    if any(owners[layer.weight] > 1 for layer in chosen):
        raise ValueError(f"layers={layers!r} hold one that is tied to another; leave it out")
    return chosen


def check_rank(rank, layers):
    """Return the rank; raise ValueError unless every layer's weight can have an update of it."""
    rank = check_integer("rank", rank, at_least=1)
    highest = min(min(layer.weight.shape) for layer in layers)
    if rank > highest:
        raise ValueError(f"rank={rank} is above {highest}, the shorter side of a layer; lower it")
    return rank
