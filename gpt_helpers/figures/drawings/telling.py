"""The words of a journey: of each step a question, its answer, and what the picture shows."""

import numpy as np

from gpt_helpers.figures.drawings.canvas import signed


def words_of_steps(config, line, pieces, merges, journey, likely):
    """Return ten texts of three lines each: what is asked, the answer, and the alt text."""
    words = [
        of_merges(line, pieces, merges),
        of_rows(config, pieces, journey),
        of_norm(config, journey),
        of_vectors(config, journey),
        of_weights(pieces, journey),
        of_values(config, pieces, journey),
        of_mlp(config, journey),
        of_blocks(config, journey),
        of_logits(journey, likely),
        of_dice(journey, likely),
    ]
    return ["\n".join(lines) for lines in words]


def of_merges(line, pieces, merges):
    """Return the words of the merges that make the last token."""
    token = pieces[-1]
    return (
        "How does a model read characters?",
        f"It reads numbers. The {len(line)} characters of the line are first of all bytes, and"
        " pairs of neighbours that the tokenizer has learned are merged, the earliest learned"
        f" first. After {len(merges)} merges `{token.written}` is one token; the line has"
        f" {len(pieces)} of them, each with its number.",
        f"{len(line)} characters with their bytes. In {len(merges)} merges those of"
        f" {token.written} become one token. Below stand the {len(pieces)} tokens of the line,"
        f" the last with the number {token.id}.",
    )


def of_rows(config, pieces, journey):
    """Return the words of the two rows and their sum."""
    token, position = pieces[-1], len(pieces) - 1
    first = [signed(row[0]) for row in (*journey.rows, journey.stream[0])]
    return (
        "What does the number of a token mean?",
        f"It only names a row. Row {token.id} of the table `wte` holds {config.n_embd} learned"
        f" numbers for this token, and row {position} of `wpe` holds as many for this position."
        " Their sum x says both what the token is and where it stands.",
        f"Row {token.id} of wte and row {position} of wpe are looked up. Their first numbers,"
        f" {first[0]} and {first[1]}, add up to {first[2]}, the first number of x.",
    )


def of_norm(config, journey):
    """Return the words of layer normalisation."""
    x = np.asarray(journey.stream[0])
    mean, deviation = signed(x.mean()), signed((x.var() + config.layer_norm_epsilon) ** 0.5)
    return (
        "Why is x normalised before it is read?",
        "So that the size of x, which changes from block to block, makes no difference to the"
        f" block that reads it (layer normalisation). The mean ({mean}) is subtracted from each"
        f" number, and the result is divided by the standard deviation ({deviation}); a learned"
        " gain and bias follow. The block reads this copy n, and x itself stays as it is.",
        f"Three strips below each other: x; the same with its mean {mean} subtracted, divided"
        f" by {deviation}; and n, after gain and bias, which begins with"
        f" {signed(journey.normed[0])}.",
    )


def of_vectors(config, journey):
    """Return the words of the query, the key and the value."""
    width = len(journey.q[0])
    begins = [signed(rows[-1][0]) for rows in (journey.q, journey.k, journey.v)]
    return (
        "What does an attention head make of a token?",
        f"Three vectors of {width} numbers, each by a matrix of its own. The query q stands for"
        " what the token looks for, the key k for what others find it by, and the value v for"
        f" what it hands on. There are {config.n_head} heads; the picture shows layer 0, head"
        f" {journey.head}.",
        "From n three arrows lead through the matrices W_Q, W_K and W_V to q, k and v, which"
        f" begin with {begins[0]}, {begins[1]} and {begins[2]}.",
    )


def of_weights(pieces, journey):
    """Return the words of the scores and the weights."""
    token, width = pieces[-1].written, len(journey.q[0])
    most = int(np.argmax(journey.weights[-1]))
    read, share = pieces[most].written, f"{journey.weights[-1][most]:.0%}"
    return (
        "Which tokens does the head read?",
        f"The score of a query and a key is their dot product divided by √{width}. The causal"
        " mask leaves no score where the key comes later than the query. Softmax turns the row"
        f" of `{token}` into weights that sum to 1; here `{read}` has the most, {share}.",
        f"A triangle of {len(pieces)} rows of scores; the cells of later keys are empty. The"
        f" last row becomes weights, the largest of them {share} for {read}.",
    )


def of_values(config, pieces, journey):
    """Return the words of the values and what the attention adds."""
    x, written = journey.stream[0], journey.attended
    return (
        "What are the weights for?",
        "The values are added up, each times its weight: that is what the head has read. The"
        f" results of the {config.n_head} heads, side by side, are {config.n_embd} numbers"
        " again. A matrix W_O (`c_proj` in the code) mixes them, and what comes out is added to x"
        " (a residual connection).",
        f"The values of {len(pieces)} tokens, each with its weight, add up to one vector."
        f" Through W_O it becomes what attention adds; it begins with {signed(written[0])}, and"
        f" the new x with {signed(x[0] + written[0])}.",
    )


def of_mlp(config, journey):
    """Return the words of the MLP."""
    n_open = sum(value > 0 for value in journey.hidden)
    return (
        "What does the MLP add?",
        "The MLP (feed-forward layer) looks at each token by itself. A copy of x, normalised"
        f" again, is widened to {len(journey.hidden)} numbers. The activation GELU brings those"
        f" below 0 close to 0; here {n_open} stay above it. A second matrix makes"
        f" {config.n_embd} numbers of them, which are added to x.",
        f"A bar chart of {len(journey.hidden)} numbers, {n_open} of them above 0. What the MLP"
        f" adds begins with {signed(journey.added[0])}, and the new x with"
        f" {signed(journey.stream[1][0])}.",
    )


def of_blocks(config, journey):
    """Return the words of the sum that grows."""
    norms = [f"{size:.1f}" for size in np.linalg.norm(journey.stream, axis=1)]
    return (
        "What do the other blocks do?",
        f"The same, each with its own weights: {config.n_layer} blocks in all. Each reads x,"
        " through its attention also the x of earlier tokens, and adds to x: the sum is called"
        f" the residual stream. The length of x is {norms[0]} at first, {norms[1]} after"
        f" the first block and {norms[-1]} after the last.",
        f"Bar charts of x on one scale after each of the {config.n_layer} blocks, with its first"
        f" numbers after the first and the last; the lengths are {', '.join(norms[1:])}.",
    )


def of_logits(journey, likely):
    """Return the words of the logits."""
    best, *_ = journey.probabilities
    highest, n_tokens = signed(journey.logits[best]), f"{len(journey.logits):,}"
    return (
        "How does x become a prediction?",
        "After a final norm, the dot product with each row of `wte`, the table of step 2, is"
        f" taken. So each of the {n_tokens} tokens gets a number, its logit: the higher it is,"
        f" the likelier the token comes next. `{likely[0]}` has the highest, {highest}.",
        f"A bar chart of {n_tokens} logits, and the tokens with the five highest: first"
        f' "{likely[0]}" with {highest}.',
    )


def of_dice(journey, likely):
    """Return the words of the probabilities and the dice."""
    share, *_ = journey.probabilities.values()
    chosen = likely[list(journey.probabilities).index(journey.chosen)]
    dice = signed(journey.dice)
    return (
        "Which token comes next?",
        f"The logits are divided by the temperature, here {journey.temperature:g}, and softmax"
        f" makes probabilities of them. A random number from 0 to 1, the dice, is {dice} and"
        f" falls into the part of `{chosen}`. This token is appended to the line, and the ten"
        " steps begin again with it.",
        f'Bars of the five highest probabilities, first "{likely[0]}" with {share:.1%}. On a'
        f' line from 0 to 1 the dice stands at {dice}, in the part of "{chosen}", which is'
        " then appended to the line.",
    )
