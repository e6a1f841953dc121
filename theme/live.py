"""The {live-model} directive: the model that ships with the book, running in the reader's page.

```{live-model}
:temperature: 0.8
:open: attention

def read(self, size):
```

The content is the prompt. theme/live/ holds the scripts: the engine reads beside gpt_helpers,
with the same names in the same order. Only pages with a panel carry its button, start.js; the rest
(SCRIPTS, in one file) and the weights are loaded when a reader presses it.
"""

import base64
import json
import shutil
from functools import cache
from pathlib import Path
from typing import ClassVar

import rcssmin
import rjsmin
import yaml
from docutils import nodes
from docutils.parsers.rst import directives
from safetensors.numpy import load_file
from sphinx.util.docutils import SphinxDirective

from gpt_helpers.weights.pretrained import STDLIB

HERE = Path(__file__).with_name("live")
SCRIPTS = (
    "checkpoint",
    "data",
    "linear",
    "model",
    "sampling",
    "page",
    "attention",
    "tables",
    "hero",
    "panel",
)
SECTIONS = ("attention", "unfold", "cost")
IN_HTML = ("title", "start", "about", "no-script")
BEFORE_LOADING = ("loading", "loaded-megabytes", "missing", "damaged", "unknown")
PANEL = """<div class="live-model" role="group" aria-label="{title}" data-settings="{settings}"
 data-words="{words}">
<p class="live-title">{title}</p>
<p>{about}</p>
<noscript><p>{no_script}</p></noscript>
<pre class="live-prompt">{prompt}</pre>
<button type="button" class="live-start needs-script">{start}</button>
<p class="live-status" role="status"></p>
</div>
"""


class LiveModelNode(nodes.General, nodes.Element):
    """A panel in the document tree, with its settings."""


def switch(argument):
    """Return the bool of "on" or "off"."""
    return directives.choice(argument, ("on", "off")) == "on"


def number(least, most):
    """Return a converter of options to numbers from least to most."""

    def convert(argument):
        value = float(argument)
        if not least <= value <= most:
            raise ValueError(f"{value} must be in {least} to {most}")
        return value

    return convert


def sections(argument):
    """Return the names of sections that stand open, separated by spaces."""
    names = argument.split()
    unknown = sorted(set(names) - set(SECTIONS))
    if unknown:
        raise ValueError(f"{unknown} are no sections; there are {SECTIONS}")
    return names


OPTIONS = {
    "temperature": number(0.05, 3),
    "top-k": directives.positive_int,
    "top-p": number(0.05, 1),
    "greedy": switch,
    "seed": directives.nonnegative_int,
    "length": directives.positive_int,
    "cache": switch,
    "layer": directives.nonnegative_int,
    "head": directives.nonnegative_int,
    "open": sections,
}


class LiveModel(SphinxDirective):
    """Put a panel on the page; its settings are those that the text beside it speaks of."""

    has_content = True
    option_spec: ClassVar = OPTIONS

    def run(self):
        """Return the panel; layers and heads count from 0, as everywhere in the book."""
        if not self.content:
            raise self.error("{live-model} needs a prompt as its content")
        self.env.note_dependency(str(STDLIB))
        return [LiveModelNode(settings={"prompt": "\n".join(self.content), **self.options})]


def words_of(language):
    """Return what the panel says, {key: text}, in a language."""
    return yaml.safe_load((HERE / f"words.{language}.yml").read_text(encoding="utf-8"))


@cache
def facts_of_model():
    """Return the size of the file in megabytes and the number of parameters, as they are shown."""
    n_parameters = sum(weights.size for weights in load_file(STDLIB).values())
    return {"megabytes": f"{STDLIB.stat().st_size / 1e6:.1f}", "parameters": f"{n_parameters:,}"}


def write_panel(translator, node):
    """Write the button, and what is read where there is no JavaScript."""
    words = words_of(translator.config.language)
    shown = {key: words[key] for key in IN_HTML}
    shown = {key.replace("-", "_"): text.format(**facts_of_model()) for key, text in shown.items()}
    shown["settings"] = json.dumps(node["settings"])
    shown["words"] = to_json({key: words[key] for key in BEFORE_LOADING})
    shown["prompt"] = node["settings"]["prompt"]
    escaped = {key: translator.encode(text) for key, text in shown.items()}
    translator.body.append(PANEL.format_map(escaped))
    raise nodes.SkipNode


def skip_panel(translator, node):
    """Leave the panel out where the output is not HTML."""
    raise nodes.SkipNode


def add_assets(app, pagename, templatename, context, doctree):
    """Let pages with a panel, and no others, load its button."""
    if doctree is not None and any(doctree.findall(LiveModelNode)):
        app.add_js_file("live/start.js", loading_method="defer")
        app.add_css_file("live/panel.css", priority=901)


def write_assets(app, error):
    """Write the button, the rest in one script, and the weights as a file and as a script."""
    if error or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "_static" / "live"
    folder.mkdir(parents=True, exist_ok=True)
    scripts = [(HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    words = words_of(app.config.language)
    later = {key: text for key, text in words.items() if key not in IN_HTML + BEFORE_LOADING}
    weights = base64.b64encode(STDLIB.read_bytes()).decode()
    written = {
        "start.js": rjsmin.jsmin((HERE / "start.js").read_text(encoding="utf-8")),
        "live.js": rjsmin.jsmin("\n".join([in_namespace("words", to_json(later)), *scripts])),
        "panel.css": rcssmin.cssmin((HERE / "panel.css").read_text(encoding="utf-8")),
        "hero.css": rcssmin.cssmin((HERE / "hero.css").read_text(encoding="utf-8")),
        "weights.js": in_namespace("weights", f'"{weights}"'),
    }
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copyfile(STDLIB, folder / STDLIB.name)


def to_json(value):
    """Return JSON in which the letters of any language stand as they are."""
    return json.dumps(value, ensure_ascii=False)


def in_namespace(name, value):
    """Return the script that gives the engine's namespace a value."""
    return f"(globalThis.gpt ??= {{}}).{name} = {value};\n"


def setup(app):
    """Register the directive and its files."""
    app.add_node(
        LiveModelNode,
        html=(write_panel, None),
        latex=(skip_panel, None),
        text=(skip_panel, None),
    )
    app.add_directive("live-model", LiveModel)
    app.connect("html-page-context", add_assets)
    app.connect("build-finished", write_assets)
