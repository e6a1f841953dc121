"""The words of a journey: of each step a question, its answer, and what the picture shows."""

import numpy as np

from gpt_helpers.figures.drawings.canvas import signed


def steps(config, line, pieces, merges, journey, likely):
    """Return ten texts of three lines each: what is asked, the answer, and the alt text."""
    told = [
        *telling_ends(config, line, pieces, merges, journey),
        *telling_blocks(config, pieces, journey),
        *telling_choice(journey, likely),
    ]
    return ["\n".join(lines) for lines in told]


def telling_ends(config, line, pieces, merges, journey):
    """Return the words of the steps before the blocks."""
    token, position = pieces[-1], len(pieces) - 1
    first = [signed(row[0]) for row in (*journey.rows, journey.stream[0])]
    return [
        (
            "How does a model read letters?",
            f"It reads numbers. The {len(line)} letters of the line are first of all bytes, and"
            " pairs of neighbours that the tokenizer has learned are merged, the earliest learned"
            f" first. After {len(merges)} merges `{token.written}` is one token; the line has"
            f" {len(pieces)} of them, each with its number.",
            f"{len(line)} letters with their bytes. In {len(merges)} merges the letters of"
            f" {token.written} become one piece. Below stand the {len(pieces)} tokens of the line,"
            f" the last with the number {token.id}.",
        ),
        (
            "What does the number say?",
            f"It is only the number of a row. Row {token.id} of the table `wte` holds"
            f" {config.n_embd} learned numbers for this token, and row {position} of `wpe` as many"
            " for this position. Their sum x says both what the token is and where it stands.",
            f"From two tables row {token.id} of wte and row {position} of wpe are taken. Their"
            f" first numbers, {first[0]} and {first[1]}, add up to {first[2]}, the first number"
            " of x.",
        ),
    ]


def telling_blocks(config, pieces, journey):
    """Return the words of the steps inside the blocks."""
    x, token = np.asarray(journey.stream[0]), pieces[-1].written
    deviation = signed((x.var() + config.layer_norm_epsilon) ** 0.5)
    most = int(np.argmax(journey.weights[-1]))
    share, width = f"{journey.weights[-1][most]:.0%}", len(journey.q[0])
    open_ones = sum(value > 0 for value in journey.hidden)
    norms = [f"{size:.1f}" for size in np.linalg.norm(journey.stream, axis=1)]
    return [
        (
            "Why is x normalised before it is read?",
            "So that a block always meets numbers of one scale. From each number the mean is"
            f" subtracted ({signed(x.mean())}), and the rest divided by the standard deviation"
            f" ({deviation}); a learned gain and bias follow. The block reads this copy n, and x"
            " itself stays as it is.",
            f"Three strips below each other: x, x with its mean {signed(x.mean())} taken away and"
            f" divided by {deviation}, and n, after gain and bias, which begins with"
            f" {signed(journey.normed[0])}.",
        ),
        (
            "What does an attention head make of the token?",
            f"Three vectors of {width} numbers, each by a matrix of its own: the query q stands"
            " for what the token looks for, the key k for what others find it by, and the value v"
            f" for what it hands on. There are {config.n_head} heads; this is head {journey.head}"
            " of layer 0.",
            "From n three arrows lead through the matrices W_Q, W_K and W_V to q, k and v, which"
            f" begin with {signed(journey.q[-1][0])}, {signed(journey.k[-1][0])} and"
            f" {signed(journey.v[-1][0])}.",
        ),
        (
            "Which tokens does the head read?",
            f"Each query is multiplied with each key, and the product divided by √{width}: that is"
            " the score. The mask leaves no score where a key comes later than the query. Softmax"
            f" turns the row of `{token}` into weights that sum to 1; here `{pieces[most].written}`"
            f" has the most, {share}.",
            f"A triangle of {len(pieces)} rows of scores; cells of later keys are empty. The last"
            f" row becomes weights, the largest of them {share} for {pieces[most].written}.",
        ),
        (
            "What becomes of the weights?",
            "Each value is multiplied with its weight, and all are added: that is what the head"
            f" has read. The {config.n_head} heads side by side are {config.n_embd} numbers again."
            " A matrix W_O mixes them, and the result is added to x (a residual connection).",
            f"{len(pieces)} values, each with its weight before it, add up to one. Through W_O it"
            f" becomes what the attention writes, beginning with {signed(journey.attended[0])},"
            f" which is added to x: {signed(x[0] + journey.attended[0])}.",
        ),
        (
            "What does the MLP do with it?",
            f"It looks at each token by itself. A copy of x, normalised again, is widened to"
            f" {len(journey.hidden)} numbers. The activation GELU brings those below 0 close to 0,"
            f" so that {open_ones} stay above it here, and a second matrix makes"
            f" {config.n_embd} numbers of them, which are added to x.",
            f"A skyline of {len(journey.hidden)} numbers, of which {open_ones} are above 0. Below"
            f" stands what is added to x, beginning with {signed(journey.added[0])}, and the new"
            f" x, beginning with {signed(journey.stream[1][0])}.",
        ),
        (
            "What do the other blocks do?",
            f"The same, each with weights of its own: {config.n_layer} blocks in all. Each reads x"
            " and adds to it, and nothing else leads from one block to the next. The norm of x is"
            f" {norms[0]} at first, {norms[1]} after the first block and {norms[-1]} after the"
            " last.",
            f"{len(norms)} skylines of x on one scale, before the blocks and after each of the"
            f" {config.n_layer}, with the norms {', '.join(norms)}.",
        ),
    ]


def telling_choice(journey, likely):
    """Return the words of the steps after the blocks."""
    ids, shares = zip(*journey.probabilities.items(), strict=True)
    best, n_tokens = signed(journey.logits[ids[0]]), f"{len(journey.logits):,}"
    chosen = likely[ids.index(journey.chosen)]
    temperature, dice = f"{journey.temperature:g}", signed(journey.dice)
    return [
        (
            "How does x become a guess?",
            "After the last norm it is multiplied with each row of `wte`, the table of step 2, and"
            f" so each of the {n_tokens} tokens gets a number, its logit. The higher it is, the"
            f" better the token fits as the next one. `{likely[0]}` has the highest, {best}.",
            f"A skyline of {n_tokens} logits, and the five highest of them with their tokens:"
            f" {likely[0]} has {best}, {likely[1]} {signed(journey.logits[ids[1]])}.",
        ),
        (
            "Which token comes next?",
            f"The logits are divided by the temperature, here {temperature}, and softmax makes"
            f" probabilities of them. A random number from 0 to 1, the dice, is {dice} and falls"
            f" into the part of `{chosen}`. This token is appended to the line, and the ten steps"
            " begin again.",
            f"Bars of the five highest probabilities, {likely[0]} first with {shares[0]:.1%}. On a"
            f" line from 0 to 1 the dice stands at {dice}, in the part of {chosen}, which then"
            " stands at the end of the line.",
        ),
    ]
