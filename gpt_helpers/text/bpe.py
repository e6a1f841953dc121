"""Byte pair encoding from its definition: count the pairs, merge the most frequent, again.

tokenizer.train_tokenizer learns the same merges, faster. A token is written as there: a letter
for each of its bytes, Ġ for a space.
"""

from collections import Counter
from functools import partial
from itertools import pairwise

from tokenizers import pre_tokenizers

from gpt_helpers.validation import (
    check_count,
    check_instance,
    check_natural,
    check_sequence,
    check_text,
    checks,
)

WRITTEN = str.maketrans({"Ġ": "␣", "Ċ": "⏎", "ĉ": "⇥"})
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False)


check_parts = partial(check_sequence, kind=str)


def check_words(name, value):
    """Raise ValueError unless value is {tokens of a word: how often it occurs}."""
    check_instance(name, value, dict)
    for tokens, count in value.items():
        check_parts(f"a word of {name}", tokens)
        check_count(f"{name}[{tokens!r:.60}]", count)


@checks(text=check_text)
def words_of(text):
    """Return the pieces that GPT-2's regular expression cuts a text into, [(start, end), ...].

    A piece is what is left of one kind, letters, digits or other signs, with a space before it
    at most. Source: radford2019gpt2, sec. 2.2.
    """
    return [place for _, place in BYTES.pre_tokenize_str(text)]


@checks(pair=check_parts)
def readable(pair):
    """Return a pair of tokens as one text, left + right, with ␣ and ⏎ for spaces and lines."""
    return " + ".join(pair).translate(WRITTEN)


def count_words(text):
    """Return {tokens of a word: how often the word occurs}; each token is a byte yet."""
    return Counter(tuple(word) for word, _ in BYTES.pre_tokenize_str(text))


@checks(words=check_words)
def count_pairs(words):
    """Return {(left, right): how often they meet} in words, {tokens: count}."""
    pairs = Counter()
    for tokens, count in words.items():
        for pair in pairwise(tokens):
            pairs[pair] += count
    return pairs


@checks(tokens=check_parts, pair=check_parts)
def join_pair(tokens, pair):
    """Return tokens with each left, right of the pair joined, from the left on."""
    joined = []
    for token in tokens:
        if joined and (joined[-1], token) == pair:
            joined[-1] = "".join(pair)
        else:
            joined.append(token)
    return tuple(joined)


def join_pairs(words, pair):
    """Return {tokens: count} of words with the pair joined in each."""
    return {join_pair(tokens, pair): count for tokens, count in words.items()}


@checks(text=check_text, n_merges=check_natural)
def learn_merges(text, n_merges):
    """Return the first merges of a text, [(left, right), ...]; fewer if none is left.

    Of pairs that are equally frequent, the one whose tokens are older is merged.
    Source: sennrich2016bpe, algorithm 1.
    """
    words, merges = count_words(text), []
    age = {token: number for number, token in enumerate(sorted(BYTES.alphabet()))}
    while len(merges) < n_merges and (pairs := count_pairs(words)):
        pair = min(pairs, key=lambda p: (-pairs[p], age[p[0]], age[p[1]]))
        merges.append(pair)
        age.setdefault("".join(pair), len(age))
        words = join_pairs(words, pair)
    return merges


@checks(text=check_text, merges=partial(check_sequence, kind=(tuple, list), empty=True))
def pairs_after(text, merges):
    """Return {(left, right): how often they are neighbours} in the words of a text, after merges.

    The most frequent comes first.
    """
    words = count_words(text)
    for pair in merges:
        words = join_pairs(words, tuple(pair))
    return dict(count_pairs(words).most_common())
