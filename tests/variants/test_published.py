"""Published models: sources, what is not disclosed, and every count computed again by hand."""

import csv
import dataclasses
import math
import re
from collections import Counter

import pytest
import torch

from gpt_helpers.config import PRESETS
from gpt_helpers.scaling_laws.counts import count_parameters
from gpt_helpers.variants import sizes
from gpt_helpers.variants.published import (
    FIELDS,
    INTEGER_FIELDS,
    PUBLISHED,
    PublishedModel,
    disclosed_models,
    load_models,
    published_models,
)
from tests.helpers.book import bibliography_keys
from tests.helpers.reference import refused

ROWS = {row["model"]: row for row in published_models()}
MODELS = {model.model: model for model in load_models()}
COUNTED = {name: model for name, model in MODELS.items() if "n_params" in model.computed}
CLOSED = ("GPT-3.5 Turbo", "GPT-4", "GPT-4o", "GPT-4.1", "GPT-5")

# What a row may hold.

NEEDED = ("model", "organisation", "family", "sources", "seen", "as_of")
CHOICES = {
    "family": (
        "gpt1", "gpt2", "gpt3", "gpt_neo", "gpt_j", "gpt_neox", "llama", "plamo", "gemma", "qwen",
        "olmo", "deepseek", "gpt_oss", "other",
    ),
    "positions": ("learned", "rotary", "rotary or none"),
    "norm": ("LayerNorm", "RMSNorm", "RMSNorm and QK-norm"),
    "norm_placement": ("pre", "post", "output", "pre and output"),
    "activation": ("GELU", "SwiGLU", "GeGLU"),
    "tied": (True, False),
}  # fmt: skip
LEAST = {
    "n_params": 1, "n_active": 1, "n_tokens": 1, "n_layer": 1, "n_embd": 1, "n_head": 1,
    "n_kv_head": 1, "head_width": 1, "n_inner": 1, "n_experts": 0, "n_experts_per_token": 0,
    "vocab_size": 1, "n_positions": 1,
}  # fmt: skip
AT_MOST = {"n_active": "n_params", "n_experts_per_token": "n_experts", "n_kv_head": "n_head"}
DATE = re.compile(r"20\d\d(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")

# Parameters in closed form, one function per architecture, written without the package. A block
# of GPT is 12 C^2 + 13 C: four matrices C by C and two C by 4C; biases of 9 C; two norms of 2 C.


def gpt_block(m):
    return 12 * m.n_embd**2 + 13 * m.n_embd


def gpt1(m):
    return (m.vocab_size + m.n_positions) * m.n_embd + m.n_layer * gpt_block(m)


def gpt2(m):
    return gpt1(m) + 2 * m.n_embd  # the final norm


def gpt_neo(m):
    return gpt2(m) - 3 * m.n_embd * m.n_layer  # no bias in q, k, v


def gpt_j(m):
    block = 12 * m.n_embd**2 + (4 + 1 + 2) * m.n_embd  # biases of the MLP, one norm
    return m.n_layer * block + 2 * m.n_embd + (2 * m.n_embd + 1) * m.vocab_size


def gpt_neox(m):
    return m.n_layer * gpt_block(m) + 2 * m.n_embd + 2 * m.vocab_size * m.n_embd


def attention(m):
    """Return the weights of q, k, v and the output projection, without biases."""
    return m.n_embd * m.head_width * (2 * m.n_head + 2 * m.n_kv_head)


def qkv_width(m):
    return m.head_width * (m.n_head + 2 * m.n_kv_head)


def gated(m, n_experts):
    """Return the weights of gated MLPs; experts, and only they, need a router."""
    experts = max(n_experts, 1) * 3 * m.n_embd * m.n_inner
    return experts + (m.n_embd * m.n_experts if n_experts else 0)


def llama(m, n_experts=None, n_norms=2, extra=0, n_embeddings=2):
    n_experts = m.n_experts if n_experts is None else n_experts
    block = attention(m) + gated(m, n_experts) + n_norms * m.n_embd + extra
    return m.n_layer * block + m.n_embd + n_embeddings * m.vocab_size * m.n_embd


def qwen3(m, n_experts=None):
    return llama(m, n_experts, extra=2 * m.head_width)  # the gains of QK-norm


def gpt_oss(m, n_experts=None):
    n_experts = m.n_experts if n_experts is None else n_experts
    expert = 3 * m.n_embd * m.n_inner + 2 * m.n_inner + m.n_embd
    biases = qkv_width(m) + m.n_embd + m.n_head  # and a sink per head
    router = (m.n_embd + 1) * m.n_experts
    block = attention(m) + biases + n_experts * expert + router + 2 * m.n_embd
    return m.n_layer * block + m.n_embd + 2 * m.vocab_size * m.n_embd


def qwen25(m):
    return llama(m, extra=qkv_width(m))  # a bias in q, k, v


def gemma2(m):
    return llama(m, n_norms=4, n_embeddings=1)


def gemma3(m):
    return llama(m, n_norms=4, extra=2 * m.head_width, n_embeddings=1)


def olmo2(m):
    return llama(m, extra=2 * m.n_embd)  # QK-norm over all heads


def plamo(m):
    return llama(m, n_norms=1)


def deepseek_v3(m, n_experts=None):
    """Return the count with latent attention: queries by way of 1536, keys and values of 512."""
    n_experts = m.n_experts if n_experts is None else n_experts
    queries = m.n_embd * 1536 + 1536 + 1536 * m.n_head * (128 + 64)
    keys = m.n_embd * (512 + 64) + 512 + 512 * m.n_head * (128 + 128)
    block = queries + keys + m.n_head * 128 * m.n_embd + 2 * m.n_embd
    dense = 3 * m.n_embd * 18432
    # One expert is shared; each routed one has a bias that balances the load.
    experts = (n_experts + 1) * 3 * m.n_embd * m.n_inner + (m.n_embd + 1) * m.n_experts
    return (
        m.n_layer * block + 3 * dense + (m.n_layer - 3) * experts
        + m.n_embd + 2 * m.vocab_size * m.n_embd
    )  # fmt: skip


FAMILIES = {
    "gpt1": gpt1, "gpt2": gpt2, "gpt3": gpt2, "gpt_neo": gpt_neo, "gpt_j": gpt_j,
    "gpt_neox": gpt_neox, "llama": llama, "plamo": plamo, "gemma": gemma2, "qwen": qwen3,
    "olmo": olmo2, "deepseek": deepseek_v3, "gpt_oss": gpt_oss,
}  # fmt: skip
DIFFERING = {"Qwen2.5": qwen25, "Gemma 3": gemma3}  # from others of their family


def formula_of(model):
    """Return the closed form for a model."""
    own = [found for name, found in DIFFERING.items() if model.model.startswith(name)]
    return own[0] if own else FAMILIES[model.family]


def left_out(model):
    """Return the parameters that its source does not call active: with some, the embedding."""
    leaves_out = model.family == "gpt_oss" or model.model == "DeepSeek-V3"
    return model.vocab_size * model.n_embd if leaves_out else 0


@pytest.mark.parametrize("name", COUNTED)
def test_a_computed_count_follows_from_the_shape(name):
    model = MODELS[name]
    assert model.n_params == formula_of(model)(model)


@pytest.mark.parametrize("name", [name for name, m in COUNTED.items() if "n_active" in m.computed])
def test_the_active_parameters_follow_from_the_experts_that_are_chosen(name):
    model = MODELS[name]
    expected = model.n_params
    if model.n_experts:
        expected = formula_of(model)(model, n_experts=model.n_experts_per_token)
    assert model.n_active == expected - left_out(model)


def test_a_computed_width_of_heads_is_their_share_of_the_model():
    computed = {name: model for name, model in MODELS.items() if "head_width" in model.computed}
    assert len(computed) > 20
    for name, model in computed.items():
        assert model.head_width == model.n_embd / model.n_head, name


def test_only_what_can_be_computed_is_said_to_be():
    found = {field for model in MODELS.values() for field in model.computed}
    assert found == {"n_params", "n_active", "head_width", "n_tokens", "n_embd"}
    assert MODELS["GPT-NeoX-20B"].n_tokens == 150_000 * 3_150_000  # steps and their tokens
    assert MODELS["GPT-3 13B"].n_embd == 40 * 128  # heads and their width


def printed(text):
    """Return the number of a text such as "20.91B", and one unit of its last digit."""
    digits, letter = re.fullmatch(r"([\d.]+)([MB]?)", text).groups()
    scale = {"M": 1e6, "B": 1e9, "": 1}[letter]
    n_zeros = len(digits) - len(digits.rstrip("0")) if "." not in digits else 0
    n_decimals = len(digits.partition(".")[2])
    return float(digits) * scale, 10 ** (n_zeros - n_decimals) * scale


@pytest.mark.parametrize("name", MODELS)
def test_what_the_source_prints_is_the_count_to_its_last_digit(name):
    model = MODELS[name]
    pairs = [
        (model.n_params, model.n_params_printed),
        (model.n_active, model.n_active_printed),
    ]
    for count, text in pairs:
        if text is None:
            continue
        number, unit = printed(text)
        if name == "GPT-J 6B":
            assert number - count == 2_498_560  # the README's number is not that of its shape
        else:
            assert abs(number - count) <= unit


def counted(name, count):
    """Return the count of a model that this book builds, from models with one and two layers.

    They have the layers at the beginning that differ from the rest besides.
    """
    kind, config = sizes.MODEL_SIZES[name]
    first = getattr(config, "n_dense", 0) + 1
    with torch.device("meta"):
        one, two = (count(kind(dataclasses.replace(config, n_layer=first + n))) for n in (0, 1))
    return one + (config.n_layer - first) * (two - one)


@pytest.mark.parametrize("name", sizes.MODEL_SIZES)
def test_a_model_that_this_book_builds_has_its_row_with_the_shape_and_the_count(name):
    model, (_, config) = MODELS[name], sizes.MODEL_SIZES[name]
    assert model.n_params == counted(name, sizes.count_all)
    if model.n_experts:
        assert model.n_active == counted(name, sizes.count_active) - left_out(model)
    shape = {
        "n_layer": config.n_layer,
        "n_embd": config.n_embd,
        "n_inner": config.mlp_width,
        "vocab_size": config.vocab_size,
        "n_head": config.n_head,
        "n_kv_head": config.key_heads,
        "head_width": config.head_width,
        "n_experts": getattr(config, "n_experts", None) or 0,
    }
    # Qwen3 was trained on 32768 positions, its configuration says 40960; DeepSeek-V3 on 128K,
    # and its configuration says 40 times 4096.
    if not name.startswith("Qwen3") and name != "DeepSeek-V3" and model.n_positions:
        shape["n_positions"] = config.n_positions
    if name == "DeepSeek-V3":  # heads read one latent, and have two widths
        shape |= {"n_kv_head": None, "head_width": None}
    if name == "GPT-3 XL":  # printed are 24 heads of 128, which are wider than the model
        shape |= {"n_head": 24, "n_kv_head": 24, "head_width": 128}
    assert {field: getattr(model, field) for field in shape} == shape
    assert model.family in FAMILIES  # so that it has a lane in the family tree


def test_every_row_has_a_source_and_a_date():
    assert len(MODELS) >= 60
    for name, model in MODELS.items():
        assert model.sources, name
        assert set(model.sources) <= set(bibliography_keys()), name
        assert model.seen, name
        assert model.as_of == "2026-11", name


def test_every_value_is_reported_computed_undisclosed_or_unknown():
    counts = Counter(model.basis(field) for model in MODELS.values() for field in FIELDS)
    assert counts.keys() == {"reported", "computed", "undisclosed", "unknown"}
    for model in MODELS.values():
        for field in FIELDS[:-2]:  # the last two say so themselves
            is_known = getattr(model, field) is not None
            assert is_known == (model.basis(field) in ("reported", "computed"))
            assert (model.cell(field) == "undisclosed") == (field in model.undisclosed)
            assert (model.cell(field) == "") == (model.basis(field) == "unknown")


def test_a_dense_model_uses_all_its_parameters():
    for name, model in MODELS.items():
        if model.n_experts == 0:
            assert model.n_active == model.n_params, name
            assert model.n_experts_per_token == 0, name
        elif model.n_experts:
            assert model.n_active < model.n_params, name


def test_heads_fill_the_width_of_the_older_models():
    for name, model in MODELS.items():
        if model.positions == "learned" and model.n_embd and name != "GPT-3 XL":
            assert model.n_head * model.head_width == model.n_embd, name
            assert model.n_inner == 4 * model.n_embd, name


def test_what_is_not_disclosed_has_no_number():
    for name, row in ROWS.items():
        unknown = [math.isnan(row["n_params"]), math.isnan(row["n_tokens"])]
        assert unknown == [row["basis"] == "undisclosed"] * 2, name
    assert ROWS["GPT-4"]["basis"] == "undisclosed"
    assert "GPT-4" not in {row["model"] for row in disclosed_models()}


@pytest.mark.parametrize("name", CLOSED)
def test_of_the_closed_models_nothing_but_name_date_and_context_is_known(name):
    model = MODELS[name]
    kept = {"n_positions", "vocab_size"}
    assert set(model.undisclosed) >= {*INTEGER_FIELDS, "family", "positions", "norm", "tied"} - kept
    assert {field for field in INTEGER_FIELDS if getattr(model, field) is not None} <= kept
    assert model.licence == "closed"
    assert model.n_params_printed is None


def test_codex_and_codegpt_are_two_models():
    codex, codegpt = MODELS["Codex 12B"], MODELS["CodeGPT"]
    assert (codex.organisation, codex.family) == ("OpenAI", "gpt3")
    assert (codegpt.organisation, codegpt.family) == ("Microsoft", "gpt2")
    assert codex.sources != codegpt.sources
    assert codex.n_params > 90 * codegpt.n_params


def test_llm_jp_172b_is_as_deep_and_wide_as_gpt3():
    names = ("n_layer", "n_embd", "n_head", "head_width")
    shapes = [[getattr(MODELS[m], n) for n in names] for m in ("GPT-3 175B", "llm-jp-3-172b")]
    assert shapes[0] == shapes[1] == [96, 12288, 96, 128]


def test_the_rows_of_the_scaling_page_are_the_models_it_names():
    assert len(ROWS) == len(published_models()) == 17
    assert next(iter(ROWS)) == "GPT-3 Small"
    assert list(ROWS)[-1] == "GPT-4"
    for name, row in ROWS.items():
        assert row["source"] == MODELS[name].sources[0]
        assert row["n_params"] == MODELS[name].n_params or math.isnan(row["n_params"])
    assert ROWS["Llama 3.1 405B"]["n_tokens"] == 1.56e13
    assert ROWS["Gopher"]["released"] == ""
    assert ROWS["Gopher"]["basis"] == "reported"


def test_the_largest_gpt3_has_the_parameters_of_its_shape():
    assert ROWS["GPT-3 175B"]["n_params"] == count_parameters(PRESETS["gpt3"])


@pytest.mark.parametrize("name", ["Gopher", "Chinchilla"])
def test_chinchilla_spends_what_gopher_spent(name):
    row = ROWS[name]
    assert 6 * row["n_params"] * row["n_tokens"] == pytest.approx(5.5e23, rel=0.1)


# What no model can have.


def faults(model):
    """Return what is wrong with a model, one by one."""
    return [*wrong_values(model), *wrong_marks(model)]


def wrong_values(model):
    """Yield what is wrong with the values of a model, one by one and in pairs."""
    known = {name: value for name, value in vars(model).items() if value is not None}
    counts = {name: known[name] for name in LEAST if name in known}
    for name in NEEDED:
        if not known.get(name) and name not in model.undisclosed:
            yield f"{name} is missing"
    for name, choices in CHOICES.items():
        if name in known and known[name] not in choices:
            yield f"{name}={known[name]!r} is none of {choices}"
    for name, count in counts.items():
        if type(count) is not int or count < LEAST[name]:
            yield f"{name}={count!r} must be an integer of at least {LEAST[name]}"
    numbers = {name: count for name, count in counts.items() if type(count) is int}
    for part, whole in AT_MOST.items():
        if numbers.get(part, 0) > numbers.get(whole, math.inf):
            yield f"{part}={numbers[part]} is more than {whole}={numbers[whole]}"
    for name in ("released", "as_of"):
        if known.get(name) and not DATE.fullmatch(known[name]):
            yield f"{name}={known[name]!r} must be a date, such as 2026-11"


def wrong_marks(model):
    """Yield what is wrong with the names of fields that are computed or undisclosed."""
    for name in (*model.computed, *model.undisclosed):
        if name not in FIELDS:
            yield f"{name} is no field"
    for name in model.computed:
        if getattr(model, name, 0) is None:
            yield f"{name} is computed, and yet None"
    for name in model.undisclosed:
        if getattr(model, name, None) is not None:
            yield f"{name} is undisclosed, and yet {getattr(model, name)!r}"


@pytest.mark.parametrize("name", MODELS)
def test_every_row_of_the_file_is_what_a_model_can_have(name):
    assert faults(MODELS[name]) == []


def test_every_column_of_the_file_is_a_field_and_every_model_has_a_name_of_its_own():
    with PUBLISHED.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) <= set(FIELDS)
    assert len({row["model"] for row in rows}) == len(rows) == len(load_models())


def test_a_model_is_frozen_and_its_numbers_are_integers():
    model = MODELS["GPT-2 small"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.n_layer = 13
    for other in MODELS.values():
        for name in INTEGER_FIELDS:
            assert type(getattr(other, name)) in (int, type(None))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": ()}, "sources is missing"),
        ({"as_of": ""}, "as_of is missing"),
        ({"family": None}, "family is missing"),
        ({"family": "bert"}, "family='bert' is none of"),
        ({"norm_placement": "PRE"}, "norm_placement='PRE' is none of"),
        ({"tied": "maybe"}, "tied='maybe' is none of"),
        ({"n_layer": 0}, "n_layer=0 must be an integer of at least 1"),
        ({"n_layer": 12.5}, "n_layer=12.5 must be an integer"),
        ({"n_experts": -1}, "n_experts=-1 must be an integer of at least 0"),
        ({"vocab_size": True}, "vocab_size=True must be an integer"),
        ({"n_params": "124M"}, "n_params='124M' must be an integer"),
        ({"released": "Feb 2019"}, "released='Feb 2019' must be a date"),
        ({"as_of": "2026-13"}, "as_of='2026-13' must be a date"),
        ({"n_active": 10**12}, "n_active=1000000000000 is more than n_params=124439808"),
        ({"n_experts_per_token": 2}, "n_experts_per_token=2 is more than n_experts=0"),
        ({"n_kv_head": 13}, "n_kv_head=13 is more than n_head=12"),
        ({"computed": ("n_parameters",)}, "n_parameters is no field"),
        ({"n_params": None, "n_active": None}, "n_params is computed, and yet None"),
        ({"undisclosed": ("n_layer",)}, "n_layer is undisclosed, and yet 12"),
        ({"n_layer": 0, "n_embd": 0}, "n_layer=0 .*; n_embd=0"),
    ],
)
def test_what_no_model_can_have_is_found(changes, message):
    found = faults(dataclasses.replace(MODELS["GPT-2 small"], **changes))
    assert re.search(message, "; ".join(found)), found


def test_the_basis_of_a_field_that_is_none_is_refused():
    refused("name='size' is unknown; use one of", MODELS["GPT-4"].basis, "size")
    refused("name='size' is unknown", MODELS["GPT-4"].cell, "size")


def test_a_family_may_be_undisclosed_but_not_forgotten():
    needed = {"model": "X", "organisation": "Y", "sources": ("z",), "seen": "paper"}
    dated = needed | {"as_of": "2026"}
    assert PublishedModel(**dated, undisclosed=("family",)).cell("family") == "undisclosed"
    assert faults(PublishedModel(**dated, undisclosed=("family",))) == []
    assert faults(PublishedModel(**dated)) == ["family is missing"]
    unnamed = dated | {"model": "", "family": "gpt2"}
    assert faults(PublishedModel(**unnamed)) == ["model is missing"]


def written(path, **changes):
    """Write a file of one row, that of GPT-2 small with changes, and return its path."""
    with PUBLISHED.open(newline="", encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if row["model"] == "GPT-2 small")
    row |= changes
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    return path


def test_a_file_of_something_else_is_refused(tmp_path):
    missing, other = tmp_path / "missing.csv", tmp_path / "other.csv"
    refused("missing.csv'.* is no file", load_models, missing)
    refused("is no file", load_models, tmp_path)
    other.write_text("model,colour\nGPT-3,red\n")
    refused("has the columns .'model', 'colour'", load_models, other)
    refused("lacks the models .'GPT-3 Small'", published_models, written(other))


def test_cells_become_values_of_their_fields(tmp_path):
    model = load_models(written(tmp_path / "a.csv", n_tokens="4.02e11", n_layer="", tied="no"))[0]
    assert model.n_tokens == 402_000_000_000
    assert (model.n_layer, model.basis("n_layer"), model.cell("n_layer")) == (None, "unknown", "")
    assert model.tied is False
    assert model.basis("tied") == "reported"
    assert model.computed == ("n_params", "n_active", "head_width")
    two = load_models(written(tmp_path / "b.csv", sources="a b"))[0]
    assert two.sources == ("a", "b")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_layer": "12.5"}, "n_layer=12.5 must be an integer"),
        ({"n_layer": "nan"}, "n_layer=nan must be an integer"),
        ({"tied": "perhaps"}, "tied='perhaps' is none of"),
        ({"n_params": "undisclosed"}, "n_params is computed, and yet None"),
        ({"sources": ""}, "sources is missing"),
    ],
)
def test_a_cell_that_its_field_cannot_hold_is_found(tmp_path, changes, message):
    (model,) = load_models(written(tmp_path / "a.csv", **changes))
    assert message in faults(model)[0]


def test_a_count_that_is_no_number_and_a_column_that_is_no_field_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match="'twelve'"):
        load_models(written(tmp_path / "a.csv", n_layer="twelve"))
    refused("'colour'", load_models, written(tmp_path / "a.csv", colour="blue"))
