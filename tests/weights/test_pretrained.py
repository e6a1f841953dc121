"""A model is one file, float16 with config and tokenizer; GPT-2 goes to Hugging Face and back."""

import dataclasses

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import PRESETS
from gpt_helpers.scaling_laws.counts import count_parameters
from gpt_helpers.text.tokenizer import END_OF_TEXT, merges_of, train_tokenizer
from gpt_helpers.variants.mlps import SwiGLUMLP
from gpt_helpers.variants.modern import ModernLMHeadModel
from gpt_helpers.weights.gpt2_format import gpt2_settings, stored_weights
from gpt_helpers.weights.pretrained import load_gpt2, load_model, save_gpt2, save_model
from gpt_helpers.weights.sealed import read_sealed, write_sealed
from tests.helpers.foreign import foreign
from tests.helpers.misuse import outcome
from tests.helpers.reference import SMALL, hugging_face, random_ids, random_model, refused
from tests.helpers.runs import KINDS, are_equal, tiny_model, weights_of

TEXT = "def f(x):\n    return x\n注意は自己注意である。" * 20


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([TEXT], 300)


@pytest.fixture
def path(tmp_path, tokenizer):
    """Return the path of a model's file."""
    save_model(tmp_path / "model.safetensors", tiny_model(vocab_size=300), tokenizer)
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("kind", ["gpt", "modern"])
def test_a_model_comes_back_with_weights_rounded_to_float16(tmp_path, tokenizer, kind):
    activation = "relu" if kind == "gpt" else "gelu"  # a modern one has its own, and no choice
    sizes = {"vocab_size": 300, "n_inner": 20, "layer_norm_epsilon": 1e-4}
    model = tiny_model(kind, **sizes, activation=activation)
    save_model(tmp_path / "model", model, tokenizer)
    found, _ = load_model(tmp_path / "model")
    assert type(found) is type(model)
    assert found.config == model.config
    assert not found.training
    rounded = {name: weight.half().float() for name, weight in weights_of(model).items()}
    assert are_equal(weights_of(found), rounded)
    assert all(weight.requires_grad for weight in found.parameters())
    ids = random_ids(2, 12, 300)
    assert (found(ids)["logits"] - model.eval()(ids)["logits"]).abs().max() < 1e-2
    save_model(tmp_path / "again", found, tokenizer)  # rounding twice is rounding once
    assert are_equal(weights_of(load_model(tmp_path / "again")[0]), rounded)


def test_the_head_is_still_tied_and_stored_once(path):
    model, _ = load_model(path)
    assert model.lm_head.weight is model.transformer.wte.weight
    halves, facts = read_sealed(path)
    assert sum(half.numel() for half in halves.values()) == count_parameters(model.config)
    assert {half.dtype for half in halves.values()} == {torch.float16}
    assert facts["config"] == dataclasses.asdict(model.config)


def test_the_tokenizer_comes_back(path, tokenizer):
    _, found = load_model(str(path))
    assert found.get_vocab() == tokenizer.get_vocab()
    assert merges_of(found) == merges_of(tokenizer)
    for text in (TEXT, "print('a')\n", "日本語", "<|endoftext|>"):
        assert found.encode(text).ids == tokenizer.encode(text).ids


def test_loading_draws_nothing_from_the_generator_of_the_program(path):
    before = torch.get_rng_state()
    load_model(path)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_beyond_float16_are_refused_and_nothing_is_written(tmp_path, tokenizer):
    for wrong in (70_000.0, torch.nan, -torch.inf):
        model = tiny_model(vocab_size=300)
        model.transformer.h[1].mlp.c_fc.weight.data[3, 3] = wrong
        message = r"\['transformer.h.1.mlp.c_fc.weight'\] hold numbers that float16 cannot"
        refused(message, save_model, tmp_path / "model", model, tokenizer)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_could_not_be_loaded_again_is_not_saved(tmp_path, tokenizer):
    path = tmp_path / "model"
    refused("model is a NoneType; it must be one of", save_model, path, None, tokenizer)
    refused("model is a GPTModel", save_model, path, tiny_model().transformer, tokenizer)
    gated = ModernLMHeadModel(tiny_model().config, attention_fused, mlp=SwiGLUMLP)
    message = "transformer.h.0.mlp as a SwiGLUMLP; one that is loaded has a SquaredReLUMLP there"
    refused(message, save_model, path, gated, tokenizer)
    message = "has transformer as a GPT1Model; one that is loaded has a GPTModel there"
    refused(message, save_model, path, KINDS["gpt1"](tiny_model().config), tokenizer)
    refused("tokenizer is a NoneType", save_model, path, tiny_model(), None)
    assert list(tmp_path.iterdir()) == []


def test_files_that_hold_no_model_are_refused(path):
    halves, facts = read_sealed(path)
    refused("none' is not a file", load_model, path.parent / "none")
    wrong = {
        "holds no model; give a file that save_model wrote": {},
        "holds no model": {"model": "GPTLMHeadModel", "config": facts["config"]},
        r"holds a 'BERT'; known are \['GPTLMHeadModel'": facts | {"model": "BERT"},
        "is of another model": facts | {"model": "ModernLMHeadModel"},
        "n_embd=-1 must be": facts | {"config": facts["config"] | {"n_embd": -1}},
        r"wte.weight is \(300, 16\), not \(301, 16\)": facts
        | {"config": facts["config"] | {"vocab_size": 301}},
        "merges hold .* joins no two earlier tokens": facts | {"merges": facts["merges"][1:]},
    }
    for message, others in wrong.items():
        write_sealed(path, halves, others)
        refused(message, load_model, path)
    write_sealed(path, {}, facts)
    refused("the file holds 0 blocks, its settings say n_layer=2", load_model, path)


def test_facts_of_any_shape_are_a_model_or_refused_by_a_sentence_that_names_the_file(path):
    halves, facts = read_sealed(path)
    facts = facts | {"merges": facts["merges"][:43]}
    n_refused = 0
    for other in foreign(facts, 12):
        if outcome(write_sealed, {"path": path, "tensors": halves, "facts": other}):
            continue
        error = outcome(load_model, {"path": path})
        assert type(error) in (ValueError, type(None)), other
        assert error is None or str(path) in str(error), other
        n_refused += error is not None
    assert n_refused > 200


def test_a_damaged_file_is_refused(path):
    data = bytearray(path.read_bytes())
    path.write_bytes(data[:-100])
    refused("cut short", load_model, path)
    data[-100] ^= 4
    path.write_bytes(data)
    refused("was altered", load_model, path)
    torch.save(tiny_model().state_dict(), path)
    refused("is no sealed file", load_model, path)


# GPT-2 in Hugging Face's format. CUT keeps the shapes of a layer and spares memory.

CUT = {"vocab_size": 211, "n_positions": 12, "n_layer": 1}
GPT2_SIZES = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")
KINDS_OF_GPT2 = [
    {},
    {"activation": "gelu_erf", "n_inner": 40, "layer_norm_epsilon": 1e-3},
    {"activation": "relu", "dropout": 0.0},
    {"activation": "swish", "n_inner": 24, "n_head": 1},
]


def written_by_hugging_face(model, folder):
    """Return the twin of our model, after it was written to folder."""
    twin = hugging_face(model)
    twin.save_pretrained(folder)
    return twin


def read_by_hugging_face(folder):
    """Return the GPT2LMHeadModel of a folder; it must find there all that it needs."""
    from transformers import GPT2LMHeadModel

    twin, report = GPT2LMHeadModel.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    return twin.eval()


@pytest.mark.parametrize("changes", KINDS_OF_GPT2, ids=range(4))
def test_a_gpt2_of_hugging_face_gives_the_same_logits_here(tmp_path, changes):
    twin = written_by_hugging_face(random_model(std=0.2, **changes), tmp_path)
    model, tokenizer = load_gpt2(tmp_path)
    assert tokenizer is None
    assert model.config == dataclasses.replace(SMALL, **changes)
    ids = random_ids(3, 20)
    assert (model(ids)["logits"] - twin(ids).logits).abs().max() < 1e-5
    assert not model.training
    assert all(weight.requires_grad for weight in model.parameters())
    assert model.lm_head.weight is model.transformer.wte.weight


@pytest.mark.parametrize("changes", KINDS_OF_GPT2, ids=range(4))
def test_a_model_that_is_saved_is_read_by_hugging_face(tmp_path, changes):
    model = random_model(std=0.2, **changes)
    save_gpt2(tmp_path, model)
    twin, ids = read_by_hugging_face(tmp_path), random_ids(3, 20)
    assert are_equal(twin.state_dict(), hugging_face(model).state_dict())
    assert (model(ids)["logits"] - twin(ids).logits).abs().max() < 1e-5
    assert twin.config.eos_token_id is None


def test_the_way_there_and_back_changes_no_bit(tmp_path):
    model = random_model(std=0.2, n_inner=40)
    written_by_hugging_face(model, tmp_path / "theirs")
    found, _ = load_gpt2(tmp_path / "theirs")
    assert are_equal(weights_of(found), weights_of(model))
    save_gpt2(tmp_path / "ours", found)
    files = [tmp_path / name / "model.safetensors" for name in ("theirs", "ours")]
    assert files[0].read_bytes() == files[1].read_bytes()
    read_by_hugging_face(tmp_path / "ours").save_pretrained(tmp_path / "again")
    assert are_equal(weights_of(load_gpt2(tmp_path / "again")[0]), weights_of(model))


@pytest.mark.parametrize("name", GPT2_SIZES)
def test_each_published_size_has_the_tensors_that_hugging_face_stores(name):
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.device("meta"):
        twin = GPT2LMHeadModel(GPT2Config(**gpt2_settings(PRESETS[name])))
        twin.tie_weights()  # the first transformers 5 do not, on this device
        model = GPTLMHeadModel(PRESETS[name])
    theirs = {name: tuple(weight.shape) for name, weight in twin.named_parameters()}
    assert {n: tuple(weight.shape) for n, weight in stored_weights(model).items()} == theirs


@pytest.mark.parametrize("name", GPT2_SIZES)
def test_a_layer_of_each_published_size_is_read_and_written(tmp_path, name):
    model = random_model(PRESETS[name], std=0.02, **CUT)
    twin = written_by_hugging_face(model, tmp_path / "theirs")
    found, _ = load_gpt2(tmp_path / "theirs")
    ids = random_ids(2, 12, 211)
    assert (found(ids)["logits"] - twin(ids).logits).abs().max() < 1e-4
    save_gpt2(tmp_path / "ours", found)
    assert are_equal(read_by_hugging_face(tmp_path / "ours").state_dict(), twin.state_dict())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_gpt2_of_16_bits_becomes_float32_without_another_rounding(tmp_path, dtype):
    model = random_model(std=0.2)
    hugging_face(model).to(dtype).save_pretrained(tmp_path)
    rounded = {name: weight.to(dtype).float() for name, weight in weights_of(model).items()}
    found, _ = load_gpt2(tmp_path)
    assert are_equal(weights_of(found), rounded)
    save_gpt2(tmp_path / "half", found.to(dtype))
    assert are_equal(weights_of(load_gpt2(tmp_path / "half")[0]), rounded)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (torch.Tensor.int, "model.safetensors holds transformer.h.0.attn.c_attn.bias as int32"),
        (lambda weight: weight.t().contiguous(), "model.safetensors holds 9 of 9 matrices as"),
        (lambda weight: weight[:-1], r"is \(71,\), not \(72,\)"),
    ],
)
def test_a_file_that_holds_other_tensors_is_refused(tmp_path, change, message):
    model = random_model()
    save_gpt2(tmp_path, model)
    tensors = {name: weight.contiguous() for name, weight in stored_weights(model).items()}
    wrong = {n: change(t) if "wte" not in n and "wpe" not in n else t for n, t in tensors.items()}
    save_file(wrong, tmp_path / "model.safetensors")
    refused(message, load_gpt2, tmp_path)


def test_the_tokenizer_travels_with_its_end_of_text(tmp_path, tokenizer):
    from transformers import AutoTokenizer

    save_gpt2(tmp_path, random_model(vocab_size=310), tokenizer)
    _, found = load_gpt2(tmp_path)
    assert found.get_vocab() == tokenizer.get_vocab()
    assert merges_of(found) == merges_of(tokenizer)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for text in (TEXT, "print('a')\n", END_OF_TEXT):
        assert found.encode(text).ids == tokenizer.encode(text).ids == theirs.encode(text)
    assert read_by_hugging_face(tmp_path).config.eos_token_id == tokenizer.token_to_id(END_OF_TEXT)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(tmp_path, tokenizer):
    n_tokens = tokenizer.get_vocab_size()
    message = f"tokenizer has {n_tokens} tokens, the model 61; they are no pair"
    refused(message, save_gpt2, tmp_path, random_model(), tokenizer)
    assert list(tmp_path.iterdir()) == []
    save_gpt2(tmp_path, random_model())
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    refused(message, load_gpt2, tmp_path)
    save_gpt2(tmp_path, random_model(vocab_size=n_tokens), tokenizer)


def test_a_tokenizer_with_an_id_that_the_model_has_not_is_refused(tmp_path):
    tokenizer = Tokenizer(models.BPE(vocab={"a": 0, END_OF_TEXT: 61}, merges=[]))
    refused("tokenizer has 62 tokens, the model 61", save_gpt2, tmp_path, random_model(), tokenizer)


def test_reading_a_gpt2_draws_nothing_and_it_generates_and_learns(tmp_path):
    model = random_model(std=0.2)
    save_gpt2(tmp_path, model)
    before = torch.get_rng_state()
    found, _ = load_gpt2(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    prompt = random_ids(2, 5)
    expected = model.generate(prompt, 9, temperature=0)
    assert torch.equal(found.generate(prompt, 9, temperature=0), expected)
    found.train()(prompt, labels=prompt)["loss"].backward()
    assert all(weight.grad.abs().sum() > 0 for weight in found.parameters())


def test_other_classes_and_shared_heads_are_not_saved_as_gpt2(tmp_path):
    refused("model is a ModernLMHeadModel; it must be", save_gpt2, tmp_path, tiny_model("modern"))
    refused("has transformer as a GPT1Model; one", save_gpt2, tmp_path, tiny_model("gpt1"))
    refused("model is a NoneType", save_gpt2, tmp_path, None)
    refused("n_kv_head=2 differs from n_head=4", save_gpt2, tmp_path, random_model(n_kv_head=2))
    assert list(tmp_path.iterdir()) == []
