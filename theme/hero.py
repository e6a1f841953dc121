"""The {hero} directive: the first thing on the first page, the model that writes on as one types.

```{hero}
:temperature: 0.8
:seed: 3

Once upon a time
def fibonacci(n):
```

The content is what the reader may begin with, a line each. How the first goes on is computed when
the book is built, token by token, with the random numbers of theme/live/sampling.js: so it shows
before a script runs, without one, and on paper. live/hero.js goes on from there, once the reader
touches it; the weights are those of the panel (live.py).
"""

import json
import re
from functools import cache
from typing import ClassVar

import torch
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from gpt_helpers.architecture.sampling import cut
from gpt_helpers.figures.drawings.text import as_token
from gpt_helpers.weights.pretrained import STDLIB, load_model

from . import live

IN_HTML = ("title", "label", "next", "again", "no-script", "hint")  # words, after "hero-"
N_TOKENS, N_LINES = 24, 4  # as in live/hero.js
N_BARS = 5
BROKEN = "\ufffd"  # stands for bytes that are no whole character
MANY_BLANKS = re.compile("␣{4,}")
OF_32_BITS = 2**32 - 1
HERO = """<div class="hero" role="group" aria-label="{title}" data-settings="{settings}"
 data-words="{words}">
<div class="hero-editor">
<div class="hero-mirror" aria-hidden="true"><span class="hero-typed">{prompt}</span><wbr><span
 class="hero-caret"></span><span class="hero-ghost">{ghost}</span></div>
<textarea class="hero-text" rows="1" readonly spellcheck="false" autocapitalize="off"
 autocomplete="off" maxlength="400" aria-label="{label}">{prompt}</textarea>
</div>
<p class="hero-status" role="status">{status}<span class="visually-hidden"> {written}</span></p>
<p class="hero-lead">{next}</p>
<ol class="hero-next">{bars}</ol>
<p class="hero-chips needs-script">{chips}
<button type="button" class="hero-again" disabled>{again}</button></p>
<noscript><p class="hero-hint">{no_script}</p></noscript>
<p class="hero-hint needs-script">{hint}</p>
</div>
"""
GHOST = '<span style="--hero-share:{share}%;--hero-turn:{turn}">{text}</span>'
BAR = (
    '<li><span class="hero-bar" data-id="{id}" data-name="{name}" style="--hero-share:{share}%">'
    "<code>{text}</code><span>{percent}</span></span></li>"
)
CHIP = '<button type="button" disabled data-prompt="{prompt}">{prompt}</button>'


class HeroNode(nodes.General, nodes.Element):
    """A hero in the document tree, with its settings and its prompts."""


class Hero(SphinxDirective):
    """Put the model that writes on on the page."""

    has_content = True
    option_spec: ClassVar = {
        "temperature": live.number(0.05, 3),
        "seed": directives.nonnegative_int,
    }

    def run(self):
        """Return the hero."""
        prompts = [line for line in self.content if line]
        if not prompts:
            raise self.error("{hero} needs prompts as its content, a line each")
        self.env.note_dependency(str(STDLIB))
        settings = {"temperature": 1.0, "seed": 1, **self.options}
        return [HeroNode(settings=settings, prompts=prompts)]


def random_numbers(seed):
    """Yield numbers from 0 to 1, those of randomNumbers in live/sampling.js (mulberry32)."""
    state = seed & OF_32_BITS
    while True:
        state = (state + 0x6D2B79F5) & OF_32_BITS
        t = (state ^ state >> 15) * (1 | state) & OF_32_BITS
        t = (t + ((t ^ t >> 7) * (61 | t) & OF_32_BITS) & OF_32_BITS) ^ t
        yield (t ^ t >> 14) / 2**32


@cache
def continuation(prompt, temperature, seed):
    """Return how the shipped model goes on, and its first choices.

    The first is [(text, probability), ...], the second [(id, text, probability), ...]: the
    likeliest tokens after the prompt. Probabilities are those before the temperature.
    Raises ValueError for a text that does not come in whole characters.
    """
    model, tokenizer = load_model()
    ids, written, choices = tokenizer.encode(prompt).ids, [], []
    for u in random_numbers(seed):
        with torch.no_grad():
            logits = model(torch.tensor([ids]))["logits"][0, -1]
        shares = logits.double().softmax(-1)
        likeliest = shares.topk(N_BARS).indices.tolist()
        choices = choices or [(i, tokenizer.decode([i]), shares[i].item()) for i in likeliest]
        drawn = cut(logits, temperature).double().softmax(-1).cumsum(0)
        token = min(int((drawn <= u).sum()), len(drawn) - 1)
        lines = sum(text.count("\n") for text, _ in written)
        if token == 0 or lines >= N_LINES or len(written) == N_TOKENS:
            break
        ids = [*ids, token]
        written.append((tokenizer.decode([token]), shares[token].item()))
    if any(BROKEN in text for *_, text, _ in (*written, *choices)):
        raise ValueError(f"{prompt!r} goes on in parts of characters; give another first prompt")
    return written, choices


def percent(share):
    """Return a share as live/page.js writes it: two digits, or one behind the point."""
    return f"{100 * share:.{1 if share < 0.0995 else 0}f} %"


def write_hero(translator, node):
    """Write the hero as it stands before, and without, its script."""
    words, encode = live.words_of(translator.config.language), translator.encode
    settings, prompts = node["settings"], node["prompts"]
    written, choices = continuation(prompts[0], settings["temperature"], settings["seed"])
    told = {"n": len(written), **settings, **live.facts_of_model()}
    shown = {
        key.replace("-", "_"): encode(words[f"hero-{key}"].format_map(told)) for key in IN_HTML
    }
    shown["status"] = encode(words["hero-wrote"].format_map(told))
    shown["written"] = encode("".join(text for text, _ in written))
    shown["settings"] = encode(json.dumps(settings))
    shown["words"] = encode(live.to_json({key: words[key] for key in live.BEFORE_LOADING}))
    shown["prompt"] = encode(prompts[0])
    shown["ghost"] = "".join(
        GHOST.format(share=round(100 * share, 2), turn=turn, text=encode(text))
        for turn, (text, share) in enumerate(written)
    )
    shown["bars"] = "".join(write_bar(translator, words, *choice) for choice in choices)
    shown["chips"] = "\n".join(CHIP.format(prompt=encode(prompt)) for prompt in prompts)
    translator.body.append(HERO.format_map(shown))
    raise nodes.SkipNode


def write_bar(translator, words, token, text, share):
    """Return the HTML of one of the likeliest tokens."""
    seen = MANY_BLANKS.sub(lambda blanks: f"␣×{len(blanks[0])}", as_token(text))
    name = words["hero-append"].format(token=seen, share=percent(share))
    encoded = {"name": translator.encode(name), "text": translator.encode(seen)}
    share, shown = round(100 * share, 2), percent(share)
    return BAR.format(id=token, share=share, percent=shown, **encoded)


def add_assets(app, pagename, templatename, context, doctree):
    """Let pages with a hero, and no others, load what wakes it, and its style."""
    if doctree is not None and any(doctree.findall(HeroNode)):
        app.add_js_file("live/start.js", loading_method="defer")
        app.add_css_file("live/hero.css", priority=902)


def setup(app):
    """Register the directive."""
    skipped = (live.skip_panel, None)
    app.add_node(HeroNode, html=(write_hero, None), latex=skipped, text=skipped)
    app.add_directive("hero", Hero)
    app.connect("html-page-context", add_assets)
