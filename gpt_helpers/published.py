"""Published sizes and training tokens of models by name, with source and date."""

from importlib import resources
from pathlib import Path

from gpt_helpers.rows import read_rows

PUBLISHED = Path(str(resources.files("gpt_helpers"))) / "models.csv"
MODEL_NUMBERS = ("n_params", "n_tokens")


def published_models(path=PUBLISHED):
    """Return a row per model: model, organisation, released, n_params, n_tokens, basis, source.

    basis says where n_params comes from: "computed" from the published shape, "reported" by
    the paper, or "undisclosed", then both numbers are nan. source is a key of the
    bibliography, seen says where the numbers were read, as_of when.
    """
    return read_rows(path, MODEL_NUMBERS)


def disclosed_models(path=PUBLISHED):
    """Return the rows of published_models of which both numbers are known."""
    return [row for row in published_models(path) if row["basis"] != "undisclosed"]
