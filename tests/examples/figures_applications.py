"""A right call of each drawing of the page on applications."""

from gpt_helpers.figures.drawings import adapting, circuits
from tests.helpers.misuse import Example


def examples():
    """Yield the examples, as the page calls them."""
    circuit = {"tokens": [" in", " base", "s", "[", "i"] * 2, "at": 1}
    circuit |= {"weights": {(2, 2): 0.96, (4, 1): 0.92}, "chances": [0.17, 0.97]}
    yield Example(circuits.induction_circuit, circuit, {"at": "0"})
    digits = [3, 8, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]
    yield Example(circuits.written_sums, {"digits": digits, "shares": [0.097, 0.997]})
    yield Example(adapting.low_rank_update, {"n_outputs": 192, "n_inputs": 64, "rank": 8})
    pair = {"before": [-0.911, -1.465], "after": [-0.281, -5.24], "beta": 0.1}
    yield Example(adapting.preference_pair, pair)
