"""A right call of each drawing of the page on variants."""

import numpy as np

from gpt_helpers.figures import show_models
from gpt_helpers.figures.drawings import experts, families, latents, positions
from gpt_helpers.variants.deepseek3 import DeepSeek3Config
from gpt_helpers.variants.published import load_models
from tests.helpers.misuse import Example


def examples():
    """Yield the examples, as the page calls them."""
    models = load_models()
    rows = show_models.releases(models)
    yield Example(show_models.releases, {"models": models})
    yield Example(families.family_tree, {"rows": rows})
    names = ["GPT-4", "GPT-3 175B"]
    sizes = {"rows": rows, "names": names, "height": 3.6}
    yield Example(show_models.sizes_over_time, sizes, {"names": "empty"})
    clocks = {"head_width": 64, "pairs": [0, 4, 8], "positions": [(2, 0), (102, 100)]}
    yield Example(positions.rotary_clocks, clocks)
    scores = np.random.default_rng(17).normal(size=(2, 32))
    yield Example(experts.routed_experts, {"scores": scores, "n_chosen": 4})
    weights = np.tril(np.ones((4, 4))) / np.arange(2, 6)[:, None]
    yield Example(experts.sink_weights, {"weights": weights})
    latent = {"config": DeepSeek3Config(), "bytes_per_value": 2}
    yield Example(latents.latent_cache, latent)
