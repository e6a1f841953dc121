"""Attention heads: what they read, measured against loops, and what leaving them out changes."""

import copy
import re
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from gpt_helpers.architecture import heads
from gpt_helpers.architecture.attention import attention
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.architecture.trace import recorded_attention
from gpt_helpers.config import GPTConfig
from gpt_helpers.variants.modern import ModernLMHeadModel

CONFIG = GPTConfig(
    31, n_positions=32, n_embd=24, n_layer=3, n_head=4, dropout=0.0, initializer_range=0.3
)
GROUPED = GPTConfig(
    31, n_positions=32, n_embd=24, n_layer=2, n_head=4, n_kv_head=2, dropout=0.0,
    initializer_range=0.3,
)  # fmt: skip


def gpt(seed=0, make=GPTLMHeadModel, config=CONFIG):
    torch.manual_seed(seed)
    model = make(config)
    for block in model.transformer.h:  # those of a modern GPT are 0 at first
        torch.nn.init.normal_(block.attn.c_proj.weight, std=0.3)
    torch.nn.init.normal_(model.lm_head.weight, std=0.3)
    return model.eval()


MODELS = pytest.mark.parametrize("make", [GPTLMHeadModel, ModernLMHeadModel])


def token_ids(batch=3, n_tokens=14, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, 9, (batch, n_tokens), generator=generator)


def test_a_repeated_row_is_twice_the_same_tokens_all_different_and_never_token_0():
    ids = heads.repeated(31, 30, 5, torch.Generator().manual_seed(0))
    assert ids.shape == (5, 60)
    assert torch.equal(ids[:, :30], ids[:, 30:])
    assert all(sorted(row[:30].tolist()) == list(range(1, 31)) for row in ids)


def test_the_generator_decides_which_tokens_are_repeated():
    first, again, other = (
        heads.repeated(31, 8, 4, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_more_different_tokens_than_there_are_is_refused():
    for size, wrong in ((30, "different tokens"), (7.0, "vocab_size=7.0 must be a positive")):
        with pytest.raises(ValueError, match=wrong):
            heads.repeated(size, 30, 2)
    with pytest.raises(ValueError, match="batch_size"):
        heads.repeated(31, 4, 0)
    for wrong in ((10**12, 4, 2), (31, 4, 10**30)):
        with pytest.raises(
            ValueError,
            match=r"batch_size=.*( rows of vocab_size=.* are more than|must be an integer)",
        ):
            heads.repeated(*wrong)


def test_a_query_is_marked_with_what_came_after_its_token_before():
    ids = token_ids()
    marked = heads.after_same(ids)
    for row in range(len(ids)):
        for query in range(14):
            for key in range(14):
                wanted = 0 < key <= query and ids[row, key - 1] == ids[row, query]
                assert marked[row, query, key] == wanted


def test_in_a_repeated_row_each_token_of_the_second_half_has_one_marked_key():
    marked = heads.after_same(heads.repeated(31, 10, 2))
    queries, keys = marked[0].nonzero().T
    assert queries.tolist() == list(range(10, 20))
    assert keys.tolist() == list(range(1, 11))


@MODELS
def test_the_attention_to_marked_keys_is_the_mean_over_queries_that_have_some(make):
    model, ids = gpt(make=make), token_ids()
    marked = heads.after_same(ids)
    with recorded_attention(model) as layers:
        model(ids)
    for layer, weights in enumerate(layers):
        for head in range(4):
            sums = [
                weights[row, head, query, marked[row, query]].sum().item()
                for row in range(3)
                for query in range(14)
                if marked[row, query].any()
            ]
            found = heads.induction_scores(model, ids)[layer, head].item()
            assert found == pytest.approx(sum(sums) / len(sums), abs=1e-6)


@MODELS
def test_attention_to_everything_is_1(make):
    ids = token_ids()
    everything = torch.ones(3, 14, 14, dtype=torch.bool)
    found = heads.attention_to(gpt(make=make), ids, everything)
    torch.testing.assert_close(found, torch.ones(3, 4))


def test_the_previous_score_is_the_weight_on_the_token_just_before():
    model, ids = gpt(), token_ids()
    with recorded_attention(model) as layers:
        model(ids)
    wanted = torch.stack([w.diagonal(-1, -2, -1).mean((0, 2)) for w in layers])
    torch.testing.assert_close(heads.previous_scores(model, ids), wanted)


def test_weights_of_dropout_are_not_measured_and_the_mode_is_left_as_it_was():
    model = gpt().train()
    heads.induction_scores(model, token_ids())
    assert model.training


@pytest.mark.parametrize("marked", [torch.ones(3, 14, 13) > 0, torch.ones(3, 14, 14)])
def test_marks_that_do_not_fit_are_refused(marked):
    with pytest.raises(ValueError, match="queries by keys"):
        heads.attention_to(gpt(), token_ids(), marked)


def test_nothing_marked_is_refused():
    with pytest.raises(ValueError, match="no True"):
        heads.attention_to(gpt(), token_ids(), torch.zeros(3, 14, 14) > 0)
    for shape, wrong in (((3,), r"must be \(B, T\)"), ((3, 1), "T >= 2")):
        with pytest.raises(ValueError, match=wrong):
            heads.after_same(torch.ones(shape, dtype=torch.long))


def test_the_losses_of_the_halves_leave_out_what_nothing_could_tell():
    model, ids = gpt(), heads.repeated(31, 6, 3, torch.Generator().manual_seed(4))
    p = model(ids)["logits"].log_softmax(-1)
    paid = [[-p[row, at - 1, ids[row, at]].item() for at in range(1, 12)] for row in range(3)]
    first = sum(sum(row[:5]) for row in paid) / 15
    second = sum(sum(row[6:]) for row in paid) / 15
    assert heads.repetition_losses(model, ids) == pytest.approx((first, second), rel=1e-5)


def test_heads_are_ranked_from_the_highest_score_to_the_lowest():
    scores = torch.tensor([[0.1, 0.5, 0.2], [0.9, 0.0, 0.5]])
    assert heads.ranked(scores) == [(1, 0), (0, 1), (1, 2), (0, 2), (0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("make", "config"),
    [(GPTLMHeadModel, CONFIG), (ModernLMHeadModel, CONFIG), (GPTLMHeadModel, GROUPED)],
)
def test_leaving_a_head_out_is_a_projection_without_its_columns(make, config):
    model, ids = gpt(make=make, config=config), token_ids()
    cut = copy.deepcopy(model)
    with torch.no_grad():
        cut.transformer.h[1].attn.c_proj.weight[:, 12:18] = 0  # head 2, six wide
        cut.transformer.h[0].attn.c_proj.weight[:, :6] = 0
    with heads.without_heads(model, [(1, 2), (0, 0)]):
        found = model(ids)["logits"]
    torch.testing.assert_close(found, cut(ids)["logits"])
    assert (found - model(ids)["logits"]).abs().max() > 1e-3


def test_after_the_block_the_model_is_as_before_even_after_an_error():
    model, ids = gpt(), token_ids()
    weights, before = copy.deepcopy(model.state_dict()), model(ids)["logits"]
    with pytest.raises(RuntimeError), heads.without_heads(model, {(0, 1), (2, 3)}):
        raise RuntimeError
    assert torch.equal(model(ids)["logits"], before)
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_no_head_left_out_changes_nothing():
    model, ids = gpt(), token_ids()
    before = model(ids)["logits"]
    with heads.without_heads(model, set()):
        assert torch.equal(model(ids)["logits"], before)


@MODELS
def test_generation_with_a_cache_lacks_the_same_heads(make):
    model, ids = gpt(make=make), token_ids()
    with heads.without_heads(model, {(1, 0), (1, 1), (2, 2)}):
        cached, whole = (model.generate(ids, 8, temperature=0, use_cache=c) for c in (True, False))
    assert torch.equal(cached, whole)
    assert not torch.equal(cached, model.generate(ids, 8, temperature=0))


@pytest.mark.parametrize("head", [(3, 0), (0, 4), (-1, 0), (0, -1)])
def test_a_head_that_is_not_there_is_refused_and_named(head):
    wrong = re.escape(f"no head {head}; layers are 0 to 2, heads 0 to 3")
    with pytest.raises(ValueError, match=wrong), heads.without_heads(gpt(), {head}):
        pass


def test_a_head_that_is_written_by_hand_to_look_back_is_an_induction_head():
    n_tokens, size = 12, 31

    class Copier(torch.nn.Module):
        """One head whose queries meet the key of the token after their own last occurrence."""

        config = SimpleNamespace(vocab_size=size)
        attend = staticmethod(attention)

        def forward(self, ids):
            own = F.one_hot(ids, size).float()
            before = F.pad(own[:, :-1], (0, 0, 1, 0))
            q, k = 900 * own[:, None], before[:, None]
            return {"logits": self.attend(q, k, k)[:, 0]}

    ids = heads.repeated(size, n_tokens, 4)
    assert heads.induction_scores(Copier(), ids).tolist() == [[pytest.approx(1.0)]]
