"""The numbers for and against the four reasons are those of the records, of the median seed."""

import statistics

import pytest

from gpt_helpers.experiments import applications, evidence, prediction, sweep


def median(experiment, measure, variant, x):
    """Return the median share of right answers, from the rows of the file."""
    rows = [
        row["right"] / row["n"]
        for row in applications.recorded_rows()
        if (row["experiment"], row["measure"], row["variant"], row["x"])
        == (experiment, measure, variant, x)
    ]
    assert len(rows) == 3
    return statistics.median(rows)


@pytest.fixture(scope="module")
def sides():
    """Return {side: {label: number}} of all four reasons together."""
    reasons = evidence.four_reasons()
    assert len(reasons) == 4
    assert all(list(both) == ["evidence", "limit"] for both in reasons.values())
    return {
        side: {label: n for both in reasons.values() for label, n in both[side].items()}
        for side in ("evidence", "limit")
    }


LABELS, PAIRS, SUMS = ("labels", "accuracy"), ("new pairs",), ("sum of 12 digits", "answer")


@pytest.mark.parametrize(
    ("side", "label", "place"),
    [
        ("limit", "accuracy, standard deviation 0.15", (*LABELS, "GPT-2, std 0.15", 8)),
        ("limit", "accuracy, standard deviation 0.02", (*LABELS, "GPT-2, AdamW", 8)),
        ("evidence", "accuracy after 120 steps", ("labels", "accuracy of 8", "modern, Muon", 120)),
        ("evidence", "accuracy after 180 steps", ("labels", "accuracy of 8", "modern, Muon", 180)),
        (
            "limit",
            "accuracy, label pairs of the training",
            (*PAIRS, "accuracy, seen pairs", "modern, Muon", 8),
        ),
        ("evidence", "last digit of a sum, at once", (*SUMS, "at once, 2 layers", 12)),
        ("evidence", "last digit of a sum, steps", (*SUMS, "steps, 2 layers", 12)),
        (
            "limit",
            "two instructions, combinations trained",
            ("instructions", "pairs", "tuned", 0),
        ),
        (
            "limit",
            "two instructions, new combinations",
            ("instructions", "new pairs", "tuned", 0),
        ),
    ],
)
def test_accuracies_are_those_of_the_median_seed(side, label, place, sides):
    assert sides[side][label] == round(median(*place), 3)


def test_pairs_never_seen_have_the_highest_and_the_lowest_seed(sides):
    found = applications.scores("new pairs", "accuracy, unseen pairs")["modern, Muon"][8]
    shares = [score.share for score in found]
    assert sides["limit"]["never seen, highest seed"] == round(max(shares), 3)
    assert sides["limit"]["never seen, lowest seed"] == round(min(shares), 3)


def test_sizes_and_losses_are_those_that_were_published_and_recorded(sides):
    assert sides["evidence"]["GPT-2 (billions of parameters)"] == 0.124
    assert sides["evidence"]["GPT-3 (billions of parameters)"] == 174.604
    outcome = prediction.outcome()
    (largest,) = [row for row in sweep.recorded_runs() if row["purpose"] == "largest"]
    assert sides["limit"]["predicted loss"] == round(outcome["predicted"], 3)
    assert sides["limit"]["measured loss"] == round(largest["held_out_loss"], 3)


def test_size_and_data_together_grow_as_the_compute_does(sides):
    sizes = evidence.best_sizes()
    growth = sides["evidence"]["best size, growth"], sides["evidence"]["tokens read, growth"]
    assert growth[0] * growth[1] == pytest.approx(max(sizes) / min(sizes), rel=1e-3)
    assert growth[0] == round(sizes[max(sizes)] / sizes[min(sizes)], 3)
    assert sorted(sizes.values()) == list(sizes.values())


def test_embeddings_are_most_of_the_smallest_of_the_best_models():
    everything, rest = (list(evidence.best_sizes(size).values()) for size in evidence.COUNTS)
    shares = [without / counted for without, counted in zip(rest, everything, strict=True)]
    assert shares == sorted(shares)
    assert shares[0] < 0.5 < shares[-1] < 1
