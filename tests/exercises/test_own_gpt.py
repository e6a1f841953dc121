"""A reader's GPT with the shipped weights, and what is left to write."""

import functools

import pytest
import torch

from gpt_helpers.exercises.workbook import own_gpt
from gpt_helpers.exercises.workbook.calls import USES
from gpt_helpers.weights.pretrained import load_model
from tests.helpers.workbook import solved_names


def test_a_part_has_its_weights_without_its_name():
    weights = {"h.1.ln_1.bias": 1, "h.1.mlp.c_fc.bias": 2, "h.10.ln_1.bias": 3, "h": 4}
    assert own_gpt.part_of(weights, "h.1") == {"ln_1.bias": 1, "mlp.c_fc.bias": 2}
    assert own_gpt.part_of(own_gpt.part_of(weights, "h.1"), "mlp") == {"c_fc.bias": 2}


@pytest.mark.parametrize(
    ("weights", "part", "said"),
    [
        ({"wte.weight": 1}, "h.0", "part='h.0' begins no name of weights; names are"),
        ([], "h.0", "weights is a list; it must be a dict"),
        ({}, 0, "part is a int; it must be a str"),
    ],
)
def test_a_part_that_is_not_there_is_told(weights, part, said):
    with pytest.raises((ValueError, TypeError), match=said):
        own_gpt.part_of(weights, part)


def test_the_shipped_weights_are_those_of_the_model_by_gpt2s_names():
    weights, model = own_gpt.shipped_weights(), load_model()[0]
    state = model.state_dict()
    assert state.keys() == {f"transformer.{name}" for name in weights} | {"lm_head.weight"}
    assert all(torch.equal(state[f"transformer.{name}"], weights[name]) for name in weights)


def test_the_readers_logits_are_those_of_the_book():
    model, tokenizer = load_model()
    ids = torch.tensor([tokenizer.encode(own_gpt.PROMPT * 9).ids])
    wide = {name: weight.double() for name, weight in own_gpt.shipped_weights().items()}
    with torch.no_grad():
        logits = model.double()(ids)["logits"]
        own = solved_names()["gpt"](ids, wide, model.config.n_head, 1e-5)
    assert ids.shape[1] > 40
    assert (own - logits).abs().max() < 1e-9


def test_the_readers_functions_write_the_text_of_the_book():
    said = own_gpt.compare_with_book(solved_names())
    first, _, text = said.partition("\n")
    assert first.endswith("48 of 48 tokens are the book's.")
    assert float(first.split(" of the largest")[0].rpartition(" ")[2]) < 1e-5
    assert text.startswith(own_gpt.PROMPT)
    model, tokenizer = load_model()
    ids = torch.tensor([tokenizer.encode(own_gpt.PROMPT).ids])
    written = model.generate(ids, own_gpt.N_NEW, temperature=0)[0]
    assert text == tokenizer.decode(written.tolist())


def test_tokens_that_the_book_does_not_write_are_counted():
    names = dict(solved_names())

    def gpt(ids, weights, n_head, eps):
        logits = solved_names()["gpt"](ids, weights, n_head, eps)
        is_large = logits.shape[-1] > 1000  # as in no case of the check
        return torch.cat([logits[:, :1], -logits[:, 1:]], 1) if is_large else logits

    said = own_gpt.compare_with_book(names | {"gpt": gpt})
    assert "The logits differ by 2e+00 of the largest" in said
    assert "0 of 48 tokens are the book's" in said


def test_what_is_left_is_told_in_both_languages():
    names = {name: f for name, f in solved_names().items() if name not in ("gelu", "generate")}
    said = own_gpt.compare_with_book(names)
    assert said == "still left: gelu, generate"
    assert said.texts["ja"] == "まだできていない関数：gelu, generate"


@pytest.mark.parametrize("wrong", [None, [], "gpt"])
@pytest.mark.parametrize("function", [own_gpt.progress, own_gpt.compare_with_book])
def test_names_that_are_no_dict_are_refused(function, wrong):
    with pytest.raises((ValueError, TypeError), match="names"):
        function(wrong)


def test_progress_marks_what_is_right_and_nothing_else():
    table = own_gpt.progress({})
    assert list(table.index) == list(USES)
    assert set(table["solved"]) == {""}
    assert table.loc["attention", "uses"] == "softmax, causal_mask"
    names = {"softmax": solved_names()["softmax"], "gelu": functools.partial(torch.relu)}
    marked = own_gpt.progress(names)["solved"]
    assert [name for name in marked.index if marked[name]] == ["softmax"]
