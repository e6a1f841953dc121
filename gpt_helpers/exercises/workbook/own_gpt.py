"""A reader's GPT with the weights that ship with the book, beside the book's own GPT."""

from gpt_helpers.weights.pretrained import load_model


def part_of(weights, part):
    """Return the weights of a part, {name: tensor}, without the part's name before theirs.

    weights are {name: tensor}, and part is a name such as "h.0.attn". Raises ValueError if no
    name begins with it.
    """
    start = f"{part}."
    found = {name.removeprefix(start): w for name, w in weights.items() if name.startswith(start)}
    if not found:
        raise ValueError(f"part={part!r} begins no name of weights; names are {list(weights)[:3]}")
    return found


def shipped_weights():
    """Return the weights of the model that ships with the book, {name: tensor}, as GPT-2's."""
    state = load_model()[0].transformer.state_dict()
    return {name: weight.detach() for name, weight in state.items()}
