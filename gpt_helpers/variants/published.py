"""Published models by name: shape, size, tokens, licence, each with its source and its basis.

Imports no torch.
"""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

from gpt_helpers.files import read_rows
from gpt_helpers.validation import check_choice, check_file

PUBLISHED = Path(__file__).with_name("models.csv")
UNDISCLOSED = "undisclosed"
INTEGER_FIELDS = (
    "n_params", "n_active", "n_tokens", "n_layer", "n_embd", "n_head", "n_kv_head", "head_width",
    "n_inner", "n_experts", "n_experts_per_token", "vocab_size", "n_positions",
)  # fmt: skip
TRUTH = {"yes": True, "no": False}
# What the scaling page draws, in this order.
ON_THE_PLANE = (
    "GPT-3 Small", "GPT-3 XL", "GPT-3 13B", "GPT-3 175B", "Gopher", "Chinchilla", "LLaMA 7B",
    "Llama 2 7B", "Llama 2 70B", "Llama 3.1 405B", "Gemma 2 9B", "Gemma 2 27B", "Qwen2.5 7B",
    "Qwen2.5 72B", "Qwen3 32B", "llm-jp-3-172b", "GPT-4",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """A model as its sources describe it. What is None is undisclosed, or unknown here.

    n_params counts all parameters, n_active those that compute one token; n_params_printed
    and n_active_printed are what the source prints. The shape has the names of GPTConfig;
    head_width is D, n_inner is F (of one expert), a token is read by n_experts_per_token of
    n_experts (0: the MLP is dense), vocab_size counts padding. The norm comes before a sub-layer
    ("pre"), after the sum ("post"), or after the sub-layer and before the sum ("output"). tied says
    whether the head is the token embedding. n_tokens are those of pre-training.

    computed and undisclosed name fields: those that follow from others, and those that the
    maker keeps back; all else is reported. sources are keys of the bibliography, seen says
    where in them it was read, as_of when.
    """

    model: str = ""
    organisation: str = ""
    family: str | None = None
    sources: tuple[str, ...] = ()
    seen: str = ""
    as_of: str = ""
    released: str | None = None
    n_params: int | None = None
    n_active: int | None = None
    n_params_printed: str | None = None
    n_active_printed: str | None = None
    n_layer: int | None = None
    n_embd: int | None = None
    n_head: int | None = None
    n_kv_head: int | None = None
    head_width: int | None = None
    n_inner: int | None = None
    n_experts: int | None = None
    n_experts_per_token: int | None = None
    vocab_size: int | None = None
    n_positions: int | None = None
    positions: str | None = None
    norm: str | None = None
    norm_placement: str | None = None
    activation: str | None = None
    tied: bool | None = None
    n_tokens: int | None = None
    licence: str | None = None
    note: str | None = None
    computed: tuple[str, ...] = ()
    undisclosed: tuple[str, ...] = ()

    def basis(self, name):
        """Return "reported", "computed", "undisclosed" or "unknown" for the field of this name."""
        check_choice("name", name, FIELDS)
        if name in self.undisclosed:
            return UNDISCLOSED
        if getattr(self, name) in (None, ()):
            return "unknown"
        return "computed" if name in self.computed else "reported"

    def cell(self, name):
        """Return a field for a table: "undisclosed", "" where it is unknown, or its value."""
        instead = {UNDISCLOSED: UNDISCLOSED, "unknown": ""}
        return instead.get(self.basis(name), getattr(self, name))


FIELDS = tuple(field.name for field in dataclasses.fields(PublishedModel))


def load_models(path=PUBLISHED):
    """Return the PublishedModels of a file, in its order.

    Raises ValueError unless there is such a file, and its columns are fields of PublishedModel.
    """
    check_file("path", path)
    rows = read_rows(path, ())
    columns = list(rows[0]) if rows else []
    if "model" not in columns or not set(columns) <= set(FIELDS):
        raise ValueError(f"path={path!r} has the columns {columns}; need model, and of {FIELDS}")
    return [read_model(row) for row in rows]


def read_model(row):
    """Return the PublishedModel of a row of the file, {column: text}; empty text is unknown."""
    undisclosed = tuple(name for name, text in row.items() if text == UNDISCLOSED)
    known = {name: text for name, text in row.items() if text not in ("", UNDISCLOSED)}
    values = {name: value_of(name, text) for name, text in known.items()}
    return PublishedModel(**values, undisclosed=undisclosed)


def value_of(name, text):
    """Return the value of a cell: a count as an integer, also from 3e11; names as a tuple."""
    if name in ("computed", "sources"):
        return tuple(text.split())
    if name == "tied":
        return TRUTH.get(text, text)
    if name not in INTEGER_FIELDS:
        return text
    number = float(text)
    return int(number) if number.is_integer() else number


def published_models(path=PUBLISHED):
    """Return a row per model of the scaling page: model, organisation, released, and so on.

    basis says where n_params comes from: "computed" from the published shape, "reported" by
    the paper, or "undisclosed", then n_params and n_tokens are nan. source is a key of the
    bibliography, seen says where the numbers were read, as_of when. Raises ValueError for a
    file without one of the models.
    """
    models = {model.model: model for model in load_models(path)}
    missing = [name for name in ON_THE_PLANE if name not in models]
    if missing:
        raise ValueError(f"path={path!r} lacks the models {missing}")
    return [scaling_row(models[name]) for name in ON_THE_PLANE]


def scaling_row(model):
    """Return what the scaling page needs of a model, its numbers as floats."""
    return {
        "model": model.model,
        "organisation": model.organisation,
        "released": model.released or "",
        "n_params": math.nan if model.n_params is None else float(model.n_params),
        "n_tokens": math.nan if model.n_tokens is None else float(model.n_tokens),
        "basis": model.basis("n_params"),
        "source": model.sources[0],
        "seen": model.seen,
        "as_of": model.as_of,
    }


def disclosed_models(path=PUBLISHED):
    """Return the rows of published_models of which both numbers are known."""
    return [row for row in published_models(path) if row["basis"] != UNDISCLOSED]
