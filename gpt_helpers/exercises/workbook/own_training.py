"""A reader's GPT, trained on the standard library with the reader's loss, AdamW and learning rate.

Everything that computes is the reader's; PyTorch only gives the gradients, and draws numbers.
"""

import functools
import math

import torch

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.evaluation.ngrams import NGrams
from gpt_helpers.exercises.workbook.own_gpt import in_each_language, what_is_left
from gpt_helpers.text.batches import Batches, fixed_windows
from gpt_helpers.text.corpus import load_corpus
from gpt_helpers.text.tokenizer import encode
from gpt_helpers.text.tokens import Tokens
from gpt_helpers.validation import check_count, check_instance, checks
from gpt_helpers.weights.pretrained import load_model

CONFIG = GPTConfig(1024, n_positions=64, n_embd=64, n_layer=2, n_head=4, dropout=0.0)
N_STEPS, WARMUP_SHARE, HIGHEST, DECAY, BATCH_SIZE = 1500, 0.1, 6e-3, 0.1, 8
EVERY_FILE = 8  # of the training files, one in so many is read
N_HELD_OUT, N_ROWS = 128, 5  # windows that are scored, and how often they are
HIGHEST_ORDER = 4  # tokens of the longest runs that are counted, to compare with
NEEDED_TO_TRAIN = (
    "softmax", "gpt", "loss", "with_temperature", "keep_top_p", "generate", "adamw_step",
    "learning_rate",
)  # fmt: skip
PROMPT, N_NEW, TEMPERATURE, TOP_P = "def ", 80, 0.8, 0.9


@checks(names=functools.partial(check_instance, kind=dict), n_steps=check_count)
def train_own(names, n_steps=N_STEPS):
    """Return, as a Translated text, what a training with the reader's functions makes of them.

    names are the reader's, {name: function}, such as globals(). The text has the losses on held-out
    files, those of models that only count, and a sample; or says which functions are left.
    """
    left = what_is_left(names, NEEDED_TO_TRAIN)
    if left is not None:
        return left
    tokens = tokens_to_train_on()
    weights, losses = weights_after(names, tokens, n_steps)
    counted = counted_losses(tokens)
    rows = [f"{step:>6}  {loss:.2f}" for step, loss in losses]
    facts = {f"order_{n}": f"{loss:.2f}" for n, loss in enumerate(counted)}
    text = text_of(names, weights, tokens.tokenizer)
    return in_each_language("own training", *rows, "", text, n_steps=n_steps, **facts)


@functools.cache
def tokens_to_train_on():
    """Return Tokens of a part of the standard library, by the tokenizer of the book's model."""
    tokenizer, corpus = load_model()[1], load_corpus()
    read = encode(tokenizer, corpus.training[::EVERY_FILE])
    return Tokens(tokenizer, read, encode(tokenizer, corpus.held_out))


def weights_after(names, tokens, n_steps, seed=0):
    """Return the weights {name: tensor} after n_steps, and [(step, loss on held-out windows)]."""
    weights, states = first_weights(seed), {}
    batches = Batches(tokens.training, BATCH_SIZE, CONFIG.n_positions, seed)
    windows = fixed_windows(tokens.held_out, CONFIG.n_positions, N_HELD_OUT)
    warmup, losses = math.ceil(WARMUP_SHARE * n_steps), []
    for step in range(n_steps + 1):
        if step % math.ceil(n_steps / N_ROWS) == 0 or step == n_steps:
            losses.append((step, loss_of(names, weights, windows).item()))
        if step < n_steps:
            lr = names["learning_rate"](step, n_steps, warmup, HIGHEST)
            weights, states = stepped(names, weights, states, batches[step], lr)
    return weights, losses


def first_weights(seed):
    """Return the random weights {name: tensor} of a new GPT, without "transformer." before them."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = GPTLMHeadModel(CONFIG)
    return {name: weight.detach() for name, weight in model.transformer.named_parameters()}


def loss_of(names, weights, ids):
    """Return the reader's loss, (), of the reader's GPT that predicts ids (B, T)."""
    logits = names["gpt"](ids, weights, CONFIG.n_head, CONFIG.layer_norm_epsilon)
    return names["loss"](logits, ids)


def stepped(names, weights, states, ids, lr):
    """Return the weights {name: tensor} and the states of AdamW after one step on ids (B, T).

    Matrices and embeddings decay, gains and biases do not.
    """
    leaves = {name: weight.requires_grad_() for name, weight in weights.items()}
    gradients = torch.autograd.grad(loss_of(names, leaves, ids), list(leaves.values()))
    after, new_states = {}, {}
    for (name, leaf), gradient in zip(leaves.items(), gradients, strict=True):
        weight = leaf.detach()
        zeros = torch.zeros_like(weight)
        state, decay = states.get(name, (0, zeros, zeros)), DECAY if weight.ndim > 1 else 0.0
        after[name], new_states[name] = names["adamw_step"](weight, gradient, state, lr, decay)
    return after, new_states


def counted_losses(tokens):
    """Return the loss per token of even chances, and of counts of 1 to HIGHEST_ORDER tokens.

    Counts of 1 token are frequencies, those of n tokens say what followed the n - 1 before.
    """
    windows = fixed_windows(tokens.held_out, CONFIG.n_positions, N_HELD_OUT)
    orders = range(1, HIGHEST_ORDER + 1)
    counts = [NGrams(tokens.training, order, CONFIG.vocab_size) for order in orders]
    found = [-each.probability_of(windows).mean().item() for each in counts]
    return [math.log(CONFIG.vocab_size), *found]


def text_of(names, weights, tokenizer, seed=0):
    """Return a text that the reader's GPT and the reader's generate write after PROMPT."""
    generator = torch.Generator().manual_seed(seed)

    def next_logits(ids):
        return names["gpt"](ids, weights, CONFIG.n_head, CONFIG.layer_norm_epsilon)[:, -1]

    def choose(logits):
        cut = names["keep_top_p"](names["with_temperature"](logits, TEMPERATURE), TOP_P)
        return torch.multinomial(names["softmax"](cut), 1, generator=generator)[:, 0]

    ids = torch.tensor([tokenizer.encode(PROMPT).ids])
    with torch.no_grad():
        ids = names["generate"](ids, N_NEW, next_logits, choose, CONFIG.n_positions)
    return tokenizer.decode(ids[0].tolist())
