"""Training steps measured beside Hugging Face's, and beside products of square matrices.

Our model and GPT2LMHeadModel, in each way it can be called, train from equal weights by the
same optimiser on the same random tokens: one step of each in turn. The losses must agree before
anything is timed. `python -m benchmarks.training step` runs it.
"""

import dataclasses
import itertools
import re

import pandas as pd
import torch

from benchmarks.timing import alternate, machine, publish, spread, today, write_table
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments.speed import TABLES
from gpt_helpers.scaling_laws.counts import count_parameters, flops_per_token
from gpt_helpers.training.loop import AUTOCAST, Trainer
from gpt_helpers.training.optimizers import learning_rate, parameter_groups
from gpt_helpers.training.recipes import LIVE, RECIPES
from tests.helpers.reference import hugging_face

SHAPES = {
    "toy": GPTConfig(300, n_positions=16, n_embd=16, n_layer=2, n_head=2, dropout=0.0),
    "live": LIVE,
    "3M": GPTConfig(1024, n_positions=256, n_embd=192, n_layer=6, n_head=6, dropout=0.0),
    "gpt2": RECIPES["gpt2"].config,
}
# Ways to use the peer: how it attends, an activation instead of its own, and arguments of its
# forward pass. Its own GELU is several operations; PyTorch's is the same function in one.
PEERS = {
    "as loaded": ("sdpa", None, {}),
    "eager": ("eager", None, {"use_cache": False}),
    "sdpa": ("sdpa", None, {"use_cache": False}),
    "sdpa, fused GELU": ("sdpa", torch.nn.GELU("tanh"), {"use_cache": False}),
}
# How far the losses before the first steps, all on one batch, may lie apart. In float32 another
# learning rate, decay, beta, epsilon or clipping moves the third by 2e-4 or more ("live", batch 2).
TOLERANCES = {"float32": (1e-5, 5e-5, 1e-4), "bfloat16": (5e-3, 2e-2)}
SQUARES = {"cpu": (1024, 1536, 2048), "cuda": (4096, 8192)}


def hugging_face_step(model, settings, implementation, activation, arguments):
    """Return a function (number, ids) that trains a peer of our model, and returns its loss."""
    peer = hugging_face(model).to(next(model.parameters()).device).train()
    peer.set_attn_implementation(implementation)
    for block in peer.transformer.h:
        block.mlp.act = activation or block.mlp.act
    optimizer = torch.optim.AdamW(
        parameter_groups(peer, settings.weight_decay, settings.decay_embeddings),
        lr=settings.max_lr,
        betas=settings.betas,
        eps=settings.epsilon,
        fused=True,
    )
    dtype = AUTOCAST[settings.precision]

    def step(number, ids):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(number, **settings.schedule_arguments)
        optimizer.zero_grad()
        with torch.autocast(ids.device.type, dtype, enabled=dtype is not None):
            loss = peer(ids, labels=ids, **arguments).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(peer.parameters(), settings.max_grad_norm)
        optimizer.step()
        return loss.item()

    return step


def steps_to_compare(config, settings, device, peers):
    """Return {name: function (number, ids)}; all begin with the same weights."""
    torch.manual_seed(settings.seed)
    model = GPTLMHeadModel(config).to(device)
    steps = {
        f"Hugging Face, {name}": hugging_face_step(model, settings, *PEERS[name]) for name in peers
    }
    trainer = Trainer(model.train(), settings)
    return steps | {"ours": lambda number, ids: trainer.step(number, ids)["loss"]}


def check_equal_losses(steps, batch, tolerances):
    """Train each on one batch, a step per tolerance; raise ValueError if the losses differ."""
    for number, tolerance in enumerate(tolerances):
        losses = {name: step(number, batch) for name, step in steps.items()}
        if not all(abs(loss - losses["ours"]) <= tolerance for loss in losses.values()):
            raise ValueError(
                f"at step {number} the losses differ from ours by over {tolerance}: {losses}"
            )


def matrix_products(sizes, device, dtype):
    """Return {size: function that multiplies two square matrices of that size}."""

    def product(size):
        left, right, out = torch.randn(3, size, size, device=device).to(dtype)
        return lambda: torch.matmul(left, right, out=out)

    return {size: product(size) for size in sizes}


def measure_steps(shape, options):
    """Return ({method: seconds of each round}, FLOP/s of the best matrix product)."""
    device, precision, config = torch.device(options.device), options.precision, SHAPES[shape]
    recipe = RECIPES["gpt2" if shape == "gpt2" else "live"]
    settings = dataclasses.replace(recipe.settings, precision=precision, warmup_steps=0)
    torch.manual_seed(settings.seed)
    shape = (options.rounds, options.batch_size, config.n_positions)
    batches = torch.randint(config.vocab_size, shape).to(device)
    steps = steps_to_compare(config, settings, device, options.peers)
    check_equal_losses(steps, batches[0], TOLERANCES[precision])
    contestants = {name: in_order(step, batches, precision) for name, step in steps.items()}
    sizes = options.squares or SQUARES[device.type]
    products = matrix_products(sizes, device, AUTOCAST[precision] or torch.float32)
    finish = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    seconds = alternate(contestants | products, options.rounds, finish)
    peak = max(2 * size**3 / min(seconds.pop(size)) for size in products)
    return seconds, peak


def in_order(step, batches, precision):
    """Return a function that takes the step after those of the check, and so on."""
    counted = enumerate(batches, len(TOLERANCES[precision]))
    return lambda: step(*next(counted))


def training_flops(config):
    """Return the FLOPs per token of a training step: with half, and with the whole square.

    A causal kernel may leave out the half of the square of scores that the mask hides.
    """
    return tuple(3 * flops_per_token(config, causal=causal) for causal in (True, False))


def compare_steps(shape, n_threads, options):
    """Return one row per method for a model of this shape."""
    torch.set_num_threads(n_threads)
    config, n_tokens = SHAPES[shape], options.batch_size * SHAPES[shape].n_positions
    seconds, measured = measure_steps(shape, options)
    times = {name: spread(values) for name, values in seconds.items()}
    peer = min(row["seconds_median"] for name, row in times.items() if name != "ours")
    peak = options.peak_tflops * 1e12 if options.peak_tflops else measured
    half, whole = (flops * n_tokens / peak for flops in training_flops(config))
    return [
        {
            "method": name,
            "shape": shape,
            "parameters": count_parameters(config),
            "batch": options.batch_size,
            "context": config.n_positions,
            "threads": n_threads,
            **row,
            "tokens_per_second": round(n_tokens / row["seconds_median"]),
            "times_hugging_face": round(peer / row["seconds_median"], 3),
            "share_of_peak": round(half / row["seconds_median"], 3),
            "share_of_peak_whole_square": round(whole / row["seconds_median"], 3),
            "peak_tflops": round(peak / 1e12, 5),
            "peak": "stated" if options.peak_tflops else "measured",
            "product_tflops": round(measured / 1e12, 5),
        }
        for name, row in times.items()
    ]


def run_steps(options):
    """Compare training steps for all shapes and numbers of threads."""
    cases = itertools.product(options.shapes, options.threads)
    rows = [row for case in cases for row in compare_steps(*case, options)]
    on_gpu = options.device.startswith("cuda")
    device = torch.cuda.get_device_name(options.device) if on_gpu else "cpu"
    facts = {"device": device, "dtype": options.precision, "date": today()}
    publish(pd.DataFrame(rows))
    path = options.csv
    if path is None and options.command == "gpu":
        path = TABLES / (re.sub(r"\W+", "-", device).lower() + ".csv")
    if path is not None:
        write_table(path, pd.DataFrame(rows).assign(**facts, **machine()))
