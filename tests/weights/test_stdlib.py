"""The model that ships is what its card says."""

import platform
import re

import pandas as pd
import pytest
import torch

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.evaluation import losses, syntax
from gpt_helpers.text.corpus import load_corpus
from gpt_helpers.text.tokenizer import merges_of, train_tokenizer
from gpt_helpers.training.recipes import RECIPES
from gpt_helpers.weights.pretrained import STDLIB, load_model
from tests.helpers.reference import hugging_face

CARD = STDLIB.with_name("README.md").read_text("utf-8")
LOG = pd.read_csv(STDLIB.with_name("log.csv"))
SCORES = pd.read_csv(STDLIB.with_name("scores.csv"), index_col=0)


@pytest.fixture(scope="module")
def shipped():
    """Return (model, tokenizer) as a reader loads them."""
    return load_model()


def test_it_is_small_and_of_gpt2s_layout(shipped):
    model, tokenizer = shipped
    config = model.config
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    assert STDLIB.stat().st_size <= 6e6
    assert 1e6 <= n_parameters <= 3e6
    assert f"{n_parameters:,}" in CARD
    assert type(model) is GPTLMHeadModel
    assert config == RECIPES["stdlib"].config
    assert config.vocab_size == tokenizer.get_vocab_size() in range(512, 1025)
    assert 128 <= config.n_positions <= 256


def test_hugging_face_computes_the_same_from_its_weights(shipped):
    model, tokenizer = shipped
    ids = torch.tensor([tokenizer.encode("def read(self, size):\n    return self").ids])
    with torch.no_grad():
        ours, theirs = model(ids)["logits"], hugging_face(model)(ids).logits
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_its_log_is_that_of_one_whole_run_of_at_most_an_hour():
    recipe = RECIPES["stdlib"]
    assert LOG["step"].tolist() == list(range(1, recipe.settings.total_steps + 1))
    per_step = recipe.batch_size * recipe.config.n_positions
    assert LOG["tokens"].tolist() == [step * per_step for step in LOG["step"]]
    assert LOG["seconds"].is_monotonic_increasing
    assert LOG["seconds"].iloc[-1] <= 3600


def test_its_scores_stand_on_the_card_and_are_far_from_those_of_counting():
    lines = re.findall(r"^\| (people|model|5-gram) \| (\S*) ?\| (\S+) \|$", CARD, re.M)
    for writer, bits, share in lines:
        assert float(share) == SCORES.loc[writer, "share that parses"]
        assert not bits or float(bits) == SCORES.loc[writer, "bits per byte"]
    assert len(lines) == 3
    assert (
        SCORES.loc["model", "share that parses"] > 0.4 + SCORES.loc["5-gram", "share that parses"]
    )
    assert SCORES.loc["model", "bits per byte"] <= 1.45 < SCORES.loc["5-gram", "bits per byte"]


def test_the_tokenizer_is_the_one_that_the_corpus_gives(shipped):
    if platform.python_version() not in CARD:
        pytest.skip(f"this Python {platform.python_version()} has another library")
    corpus = load_corpus()
    texts = (document.text for document in corpus.training)
    again = train_tokenizer(texts, shipped[0].config.vocab_size)
    assert merges_of(again) == merges_of(shipped[1])


def test_its_bits_per_byte_are_near_what_is_recorded(shipped):
    # The shorter half of the files, a tenth of the text: alone they cost 1.115, with all 1.075.
    documents = [each for each in load_corpus().held_out if len(each.text) < 10_000]
    bits = losses.document_bits_per_byte(*shipped, documents, stride=128)
    assert abs(bits - SCORES.loc["model", "bits per byte"]) < 0.15


def test_its_functions_parse_about_as_often_as_is_recorded(shipped):
    generator = torch.Generator().manual_seed(1)
    texts = losses.sample_functions(*shipped, 50, 200, 0.8, generator)
    assert abs(syntax.share_that_parses(texts) - SCORES.loc["model", "share that parses"]) < 0.25
