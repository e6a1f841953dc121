"""The shape comments of the package are executed, so they cannot be wrong.

A line that ends in a comment such as "# (B, H, T, D)" is rewritten in memory: after an
assignment, or before a return, its tensor is compared with the comment. The package is
then used at sizes that are pairwise distinct, in the scenarios at the end of this file.

Terms of a comment are letters, integers, products and sums (3C, B*T, T-1), or a leading
"..." for any number of axes. The letters of the legend (B T S H G D C V L F) have the sizes
that the scenario sets. Every other letter, and one that a scenario leaves open, takes the
first size that it meets in a call, and keeps it until the call returns. A comment counts
as reached only where its letters were set beforehand to different sizes: (S, T) for
(T, S) could not fail at T = S.
"""

import ast
import contextlib
import dataclasses
import importlib
import importlib.util
import io
import re
import sys
import tokenize
from importlib.machinery import SourceFileLoader
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

PACKAGE = Path(__file__).resolve().parents[2] / "gpt_helpers"
LEGEND = set("BTSHGDCVLF")
TRITON = importlib.util.find_spec("triton") is not None
NEED_TRITON = {"flash_backward", "flash_forward"}
SIZES = {
    "B": 2, "L": 3, "T": 4, "H": 10, "G": 5, "D": 8, "S": 11, "C": 80, "F": 44, "V": 61,
}  # fmt: skip
TERM = re.compile(r"[A-Z0-9]+(?:\s*[-+*]\s*[A-Z0-9]+)*")


def shape_comments(text):
    """Return {line: terms} of the trailing comments of a source text that begin with "# ("."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        match = re.fullmatch(r"#\s*\((.*)", token.string)
        if token.type == tokenize.COMMENT and match and token.line[: token.start[1]].strip():
            terms = [term.strip() for term in match[1].removesuffix(")").split(",")]
            found[token.start[0]] = [term for term in terms if term]
    return found


def written(terms):
    """Return the terms as they stand in a comment."""
    return f"# ({', '.join(terms)}{',' * (len(terms) == 1)})"


def size_of(term, sizes):
    """Return the size that a term such as "T", "3C" or "T-1" stands for."""
    product = re.sub(r"(\d)\s*(?=[A-Z])", r"\1*", term)
    return eval(compile(product, "shape", "eval"), {"__builtins__": {}}, sizes)


class ShapeLog:
    """The comments of the modules loaded, those that were reached, and those that were wrong."""

    def __init__(self):
        """Start with nothing seen, and with no sizes set."""
        self.comments, self.reached, self.wrong, self.sizes = {}, set(), [], {}

    def compare(self, place, value, bound):
        """Compare one tensor with the comment at place; bound holds the letters of this call."""
        terms = self.comments[place]
        shape = getattr(value, "shape", None)
        if shape is None or not self.agrees(terms, tuple(shape), bound):
            found = type(value).__name__ if shape is None else tuple(shape)
            known = " ".join(f"{key}={size}" for key, size in (self.sizes | bound).items())
            self.wrong.append(f"{place}: {written(terms)} but it is {found} at {known}")
        letters = set(re.findall("[A-Z]", "".join(terms)))
        known = [self.sizes[letter] for letter in letters if letter in self.sizes]
        free = {letter for letter in letters if letter not in LEGEND}
        if len(set(known)) + len(free) == len(letters):
            self.reached.add(place)
        return value

    def agrees(self, terms, shape, bound):
        """Return whether the shape is what the terms say, binding letters that are new."""
        if terms[:1] == ["..."]:
            terms = terms[1:]
            shape = shape[max(len(shape) - len(terms), 0) :]
        if len(terms) != len(shape) or not all(map(TERM.fullmatch, terms)):
            return False
        for term, size in zip(terms, shape, strict=True):
            if re.fullmatch("[A-Z]", term) and term not in self.sizes:
                bound.setdefault(term, size)
        try:
            return all(
                size_of(term, self.sizes | bound) == size
                for term, size in zip(terms, shape, strict=True)
            )
        except NameError:
            return False

    def compare_all(self, place, values, bound):
        """Compare each of several results with the one comment at place."""
        for value in values:
            self.compare(place, value, bound)
        return values

    def unreached(self):
        """Return the places and texts of the comments that were not reached."""
        missing = [place for place in self.comments if place not in self.reached]
        return [f"{place}: {written(self.comments[place])}" for place in missing]


class Rewriter(ast.NodeTransformer):
    """Inserts a comparison at every statement that carries a shape comment."""

    def __init__(self, name, comments):
        """Rewrite the file of this name, which has these comments by line."""
        self.name, self.open = name, set(comments)

    def visit_FunctionDef(self, node):
        """Give each call its own letters."""
        self.generic_visit(node)
        documented = ast.get_docstring(node) is not None
        node.body.insert(int(documented), ast.parse("shape_letters = {}").body[0])
        return node

    def line_of(self, node):
        """Return the line of the comment on a statement, and mark it as handled."""
        lines = self.open.intersection(range(node.lineno, node.end_lineno + 1))
        self.open -= lines
        return max(lines, default=None)

    def call(self, line, value):
        """Return the expression that compares value (each part, for a tuple) and returns it."""
        several = isinstance(value, ast.Tuple | ast.List)
        function = ast.Name("compare_shapes" if several else "compare_shape", ast.Load())
        place = ast.Constant(f"{self.name}:{line}")
        return ast.Call(function, [place, value, ast.Name("shape_letters", ast.Load())], [])

    def visit_Return(self, node):
        """Compare what is returned."""
        line = self.line_of(node)
        if line and node.value:
            node.value = self.call(line, node.value)
        return node

    def visit_Assign(self, node):
        """Compare each target after the assignment."""
        line = self.line_of(node)
        if not line:
            return node
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        loads = [ast.parse(ast.unparse(target), mode="eval").body for target in targets]
        return [node, *(ast.Expr(self.call(line, load)) for load in loads)]

    def visit_AnnAssign(self, node):
        """Compare the annotated target after the assignment."""
        return self.visit_Assign(node)

    def visit_AugAssign(self, node):
        """Compare the target after it was changed."""
        return self.visit_Assign(node)


class ShapeLoader(SourceFileLoader):
    """Loads a module with its shape comments turned into comparisons."""

    def __init__(self, fullname, path, log):
        """Load fullname from path and report to log."""
        super().__init__(fullname, path)
        self.log = log

    def get_code(self, fullname):
        """Return the code of the rewritten module; a cached .pyc is not used."""
        text = Path(self.path).read_text("utf-8")
        name = fullname.replace(".", "/") + ".py"
        comments = shape_comments(text)
        self.log.comments |= {f"{name}:{line}": terms for line, terms in comments.items()}
        tree = Rewriter(name, comments).visit(ast.parse(text))
        return compile(ast.fix_missing_locations(tree), self.path, "exec")

    def exec_module(self, module):
        """Run the module with the functions that compare within reach."""
        module.compare_shape = self.log.compare
        module.compare_shapes = self.log.compare_all
        module.shape_letters = {}
        super().exec_module(module)


class ShapeFinder:
    """Finds the modules of one package folder, before any other finder is asked."""

    def __init__(self, folder, log):
        """Serve the package in this folder and report to log."""
        self.folder, self.log = folder, log

    def find_spec(self, fullname, path=None, target=None):
        """Return the spec of a module of the package, None for any other name."""
        package, *parts = fullname.split(".")
        if package != self.folder.name:
            return None
        place = self.folder.joinpath(*parts)
        is_package = place.is_dir()
        file = place / "__init__.py" if is_package else place.with_suffix(".py")
        return importlib.util.spec_from_file_location(
            fullname,
            file,
            loader=ShapeLoader(fullname, str(file), self.log),
            submodule_search_locations=[str(place)] if is_package else None,
        )


@contextlib.contextmanager
def rewritten(folder):
    """Import the package in folder, rewritten, in the block; yield its ShapeLog."""
    log = ShapeLog()
    finder = ShapeFinder(folder, log)

    def take_out():
        names = [name for name in sys.modules if name.split(".")[0] == folder.name]
        return {name: sys.modules.pop(name) for name in names}

    before = take_out()
    sys.meta_path.insert(0, finder)
    try:
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder.parent).with_suffix("").parts
            if path.parent.name != "figures" and (TRITON or path.stem not in NEED_TRITON):
                importlib.import_module(".".join(parts).removesuffix(".__init__"))
        yield log
    finally:
        sys.meta_path.remove(finder)
        take_out()
        sys.modules.update(before)


# What the tests of this file are themselves tested with: one short module, and its twins.

LAYERS = """
import torch

def multiply(x, y):
    z = x @ y  # (T, S)
    first, second = (part for part in (z, z + 1))  # (T, S)
    flat = z.flatten()  # (T*S)
    flat += 1  # (N,)
    return z[:-1], z[1:]  # (T-1, S)

def last(logits):
    return logits[..., :1]  # (..., 1)
"""


def faults_of(source, folder):
    """Return the wrong and the unreached comments of a module with this text, used once."""
    (folder / "tiny").mkdir(parents=True)
    (folder / "tiny" / "__init__.py").write_text("")
    (folder / "tiny" / "layers.py").write_text(source)
    with rewritten(folder / "tiny") as log:
        layers = importlib.import_module("tiny.layers")
        log.sizes = {"T": 4, "S": 10}
        layers.multiply(torch.ones(4, 7), torch.ones(7, 10))
        layers.last(torch.ones(2, 3, 5))
    assert "tiny" not in sys.modules
    return log.wrong + log.unreached()


def test_true_comments_of_every_kind_of_statement_pass(tmp_path):
    assert faults_of(LAYERS, tmp_path) == []


@pytest.mark.parametrize(
    ("line", "comment", "changed"),
    [
        (5, "z = x @ y  # (T, S)", "z = x @ y  # (S, T)"),
        (5, "z = x @ y  # (T, S)", "z = x @ y  # (T, 9)"),
        (5, "z = x @ y  # (T, S)", "z = x @ y  # (T,)"),
        (5, "z = x @ y  # (T, S)", "z = x @ y  # (T, 1, S)"),
        (5, "z = x @ y  # (T, S)", "z = x @ y  # (T, keys)"),
        (5, "z = x @ y  # (T, S)", "z = x @ y  # (T, S) are the sizes"),
        (6, "(z, z + 1))  # (T, S)", "(z, z + 1))  # (S, T)"),
        (6, "(z, z + 1))  # (T, S)", "(z, z[0]))  # (T, S)"),
        (7, "# (T*S)", "# (T*T)"),
        (8, "# (N,)", "# (N, N)"),
        (9, "# (T-1, S)", "# (T, S)"),
        (9, "z[1:]", "z"),
        (9, "z[1:]", "None"),
        (12, "# (..., 1)", "# (..., V, S)"),
    ],
)
def test_a_wrong_comment_is_reported_with_its_place(tmp_path, line, comment, changed):
    assert LAYERS.count(comment) == 1
    faults = faults_of(LAYERS.replace(comment, changed), tmp_path)
    assert any(fault.startswith(f"tiny/layers.py:{line}: # (") for fault in faults)


def test_a_comment_that_is_never_reached_is_reported(tmp_path):
    unused = "\ndef unused(x):\n    return x  # (T, S)\n"
    assert faults_of(LAYERS + unused, tmp_path) == ["tiny/layers.py:15: # (T, S)"]


def test_a_comment_on_a_line_that_makes_no_tensor_is_reported(tmp_path):
    loop = "\nfor x in torch.ones(4, 10):  # (S,)\n    pass\n"
    assert faults_of(LAYERS + loop, tmp_path) == ["tiny/layers.py:14: # (S,)"]


def test_a_comment_whose_letters_have_equal_sizes_does_not_count_as_reached(tmp_path):
    with rewritten(PACKAGE) as log:
        attention = importlib.import_module("gpt_helpers.architecture.attention")
        log.sizes = {"T": 4, "S": 4}
        attention.causal_mask(torch.arange(4), torch.arange(4))
    assert log.wrong == []
    assert log.reached == set()


# The package itself.


def part(name):
    """Return a module of the package."""
    return importlib.import_module(f"gpt_helpers.{name}")


def models():
    """Return each kind of model, in eval mode, with every size that of SIZES."""
    config = part("config").GPTConfig(
        vocab_size=SIZES["V"],
        n_positions=SIZES["S"] + 1,
        n_embd=SIZES["C"],
        n_layer=SIZES["L"],
        n_head=SIZES["H"],
        n_kv_head=SIZES["G"],
        n_inner=SIZES["F"],
    )
    head, alone = (
        part("architecture.model").GPTLMHeadModel,
        dataclasses.replace(config, n_kv_head=None),
    )
    gpts = [head(config), head(alone, transformer=part("variants.gpt1").GPT1Model)]
    modern, config = part("variants.modern"), dataclasses.replace(config, dropout=0.0)
    for mlp in (modern.SquaredReLUMLP, part("variants.mlps").SwiGLUMLP):
        gpts.append(modern.ModernLMHeadModel(config, mlp=mlp))
    return [gpt.eval() for gpt in gpts + families(config)]


FAMILIES = {
    "gpt3": ("GPT3", {"window": 3, "n_kv_head": None}),
    "gpt_neo": ("GPTNeo", {"window": 3, "n_kv_head": None}),
    "gpt_j": ("GPTJ", {"rotary_width": 6, "n_kv_head": None}),
    "gpt_neox": ("GPTNeoX", {"rotary_width": 6, "n_kv_head": None}),
    "llama": ("Llama", {}),
    "plamo": ("PLaMo", {}),
    "qwen2": ("Qwen2", {}),
    "olmo2": ("OLMo2", {}),
    "qwen3": ("Qwen3", {"head_width": SIZES["D"], "n_experts": 7, "n_experts_per_token": 2}),
    "gemma2": ("Gemma2", {"head_width": SIZES["D"], "score_width": 7, "window": 3}),
    "gemma3": ("Gemma3", {"head_width": SIZES["D"], "score_width": 7, "window": 3}),
    "gpt_oss": ("GPTOSS", {"head_width": SIZES["D"], "n_experts": 7, "n_experts_per_token": 2}),
    "deepseek3": ("DeepSeek3", {
        "n_kv_head": 1, "query_latent": 13, "key_latent": 9, "plain_width": 2, "rotary_width": 6,
        "value_width": 7, "n_dense": 1, "dense_width": SIZES["F"], "n_experts": 21,
        "n_experts_per_token": 5, "n_groups": 7, "n_groups_chosen": 6,
    }),
}  # fmt: skip


def families(config):
    """Return a model of each family with the sizes of config, without dropout."""
    sizes = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    found = []
    for name, (prefix, changes) in FAMILIES.items():
        parts = vars(part(f"variants.{name}"))
        own = parts[f"{prefix}Config"](**sizes | changes)
        if f"{prefix}LMHeadModel" in parts:
            found.append(parts[f"{prefix}LMHeadModel"](own))
        else:
            transformer = parts[f"{prefix}Model"]
            found.append(part("architecture.model").GPTLMHeadModel(own, transformer=transformer))
    return found


def sizes_of(model):
    """Return SIZES; in a family whose heads share no keys there are as many heads of keys."""
    return SIZES | ({"G": SIZES["H"]} if model.config.n_kv_head is None else {})


def token_ids(n_tokens):
    """Return random token ids (B, n_tokens)."""
    return torch.randint(SIZES["V"], (SIZES["B"], n_tokens))


def left_padding(n_tokens):
    """Return a mask (B, n_tokens) with two padded positions in the first row."""
    mask = torch.ones(SIZES["B"], n_tokens, dtype=torch.bool)
    mask[0, :2] = False
    return mask


def use_whole_sequences(log):
    """Run each model on T = S tokens: with labels, and in training with padding."""
    ids = token_ids(SIZES["T"])
    for model in models():
        log.sizes = sizes_of(model) | {"S": SIZES["T"]}
        model(ids, labels=ids)
        model.train()(ids, attention_mask=left_padding(SIZES["T"]))


def use_continued_sequences(log):
    """Run each model on T tokens after S - T cached ones, without and with padding."""
    n_seen = SIZES["S"] - SIZES["T"]
    for model in models():
        for mask in (None, left_padding(n_seen)):
            cache = model.new_cache()
            log.sizes = sizes_of(model) | {"T": n_seen, "S": n_seen}
            model(token_ids(n_seen), attention_mask=mask, cache=cache)
            log.sizes = sizes_of(model)
            model(token_ids(SIZES["T"]), cache=cache)


def use_attention(log):
    """Call each attention on T queries and S keys, with all that they accept, and backward."""
    log.sizes = SIZES
    batch, heads, groups, n_queries, n_keys, width = (SIZES[letter] for letter in "BHGTSD")
    q = torch.randn(batch, heads, n_queries, width, requires_grad=True)
    k, v = torch.randn(2, batch, groups, n_keys, width)
    for padding in (None, left_padding(n_keys)):
        reference, tiled = part("architecture.attention"), part("optimization.tiled")
        reference.attention_weights(q, k, padding, window=3)
        for attend in (reference.attention, reference.attention_fused, tiled.attention_tiled):
            attend(q, k, v, padding, window=3).sum().backward()
            part("architecture.trace").weights_read(attend, q, k)


def use_flash(log):
    """Call the Triton kernels forward and backward, on heads as wide as they are at least."""
    log.sizes = SIZES | {"D": 16}
    batch, heads, groups, n_queries, n_keys = (SIZES[letter] for letter in "BHGTS")
    q = torch.randn(batch, heads, n_queries, 16, requires_grad=True)
    k, v = torch.randn(2, batch, groups, n_keys, 16)
    for padding in (None, left_padding(n_keys)):
        part("optimization.flash").attention_flash(q, k, v, padding, window=3).sum().backward()


def use_speculation(log):
    """Judge B rows of drafted tokens, and continue one row by a model's draft."""
    log.sizes = SIZES
    speculative, size = part("optimization.speculative"), SIZES["V"]
    p = torch.rand(SIZES["B"], 4, size).softmax(-1)
    drafted = torch.randint(size, (SIZES["B"], 3))
    speculative.accept_or_replace(p, p[:, 1:], drafted)
    log.sizes = {letter: SIZES[letter] for letter in SIZES if letter not in "TS"} | {"B": 1}
    model = models()[0]
    settings = {"temperature": 0.8, "top_k": 9, "top_p": 0.9}
    draft = speculative.ModelDraft(model)
    speculative.generate_speculatively(model, draft, token_ids(4)[:1], 7, 3, **settings)


def use_generation(log):
    """Generate with every filter, with and without a cache; T and S grow, so they stay open."""
    filters, greedy = {"temperature": 0.8, "top_k": 9, "top_p": 0.9}, {"temperature": 0}
    for model in models():
        log.sizes = {name: size for name, size in sizes_of(model).items() if name not in "TS"}
        for setting, use_cache in ((filters, True), (greedy, False)):
            ids, mask = token_ids(6), left_padding(6)
            options = {"eos_token_id": 0, "use_cache": use_cache, **setting}
            model.generate(ids, 3, attention_mask=mask, **options)


def use_filters(log):
    """Call the filters on one row of logits and on several."""
    log.sizes = SIZES
    for logits in (torch.randn(SIZES["V"]), torch.randn(SIZES["B"], SIZES["T"], SIZES["V"])):
        part("architecture.sampling").apply_temperature(logits, 0)
        part("architecture.sampling").top_k_filter(logits, 3)
        part("architecture.sampling").top_p_filter(logits, 0.5)


def use_batches(log):
    """Draw batches of T tokens."""
    log.sizes = SIZES
    part("text.batches").sample_batch(torch.arange(50), SIZES["B"], SIZES["T"])
    part("text.batches").Batches(torch.arange(50), SIZES["B"], SIZES["T"])[3]


def use_scoring(log):
    """Score a document in windows of T tokens, one at a time."""
    for model in models():
        log.sizes = sizes_of(model) | {"B": 1, "S": SIZES["T"]}
        part("evaluation.losses").document_nats(model, token_ids(SIZES["T"] + 4)[0], SIZES["T"], 2)
    for model in models():
        log.sizes = sizes_of(model) | {"S": SIZES["T"]}
        part("evaluation.losses").exact_match(model, token_ids(SIZES["T"]), (1, 2))
        part("evaluation.losses").window_losses(model, token_ids(SIZES["T"]))


def use_ngrams(log):
    """Score B rows of T tokens, read on after them, and generate."""
    log.sizes = SIZES
    ngrams = part("evaluation.ngrams").NGrams(torch.arange(99) % SIZES["V"], 3, SIZES["V"])
    ngrams.probability_of(token_ids(SIZES["T"]))
    ngrams.logits(token_ids(SIZES["T"]))
    ngrams.generate(token_ids(SIZES["T"]), 2)


def use_heads(log):
    """Repeat T tokens, and measure heads on B rows of T tokens, some of them left out."""
    log.sizes = SIZES | {"S": SIZES["T"]}
    heads, ids = part("architecture.heads"), token_ids(SIZES["T"])
    heads.repeated(SIZES["V"], SIZES["T"], SIZES["B"])
    for model in models():
        log.sizes = sizes_of(model) | {"S": SIZES["T"]}
        heads.previous_scores(model, ids)
        with heads.without_heads(model, {(0, 1), (2, 9)}):
            heads.repetition_losses(model, ids)
    log.sizes = SIZES | {"S": SIZES["T"]}
    heads.induction_scores(models()[0], ids.fill_(1))


def use_journey(log):
    """Follow the last of T tokens of one row, and choose the next one."""
    model = models()[0]
    log.sizes = sizes_of(model) | {"B": 1, "S": SIZES["T"]}
    journey = part("architecture.journey").follow(model, token_ids(SIZES["T"])[0].tolist())
    assert journey.chosen in journey.probabilities


def use_labels(log):
    """Ask a model about B sequences of words and labels."""
    labels = part("tasks.labels")
    log.sizes = SIZES | {"T": 18, "S": 18, "V": len(labels.WORDS_AND_LABELS)}
    sizes = (("n_positions", "T"), ("n_embd", "C"), ("n_layer", "L"), ("n_head", "H"),
             ("n_kv_head", "G"), ("n_inner", "F"), ("vocab_size", "V"))  # fmt: skip
    config = part("config").GPTConfig(**{name: log.sizes[letter] for name, letter in sizes})
    model, generator = part("architecture.model").GPTLMHeadModel(config), np.random.default_rng(0)
    ids = torch.tensor(labels.labelled_rows(labels.draw_labelled(generator, SIZES["B"])))
    labels.label_loss(model, ids)
    labels.outside(model, ids)
    labels.same_class(ids)


def use_patterns(log):
    """Compare B rows of T tokens with what a model writes."""
    log.sizes = SIZES | {"S": SIZES["T"]}
    answers = torch.tensor([[-1, 0, -1, 1]] * SIZES["B"])
    ends = torch.zeros(SIZES["V"], dtype=torch.bool)
    part("tasks.patterns").written_in_full(models()[0], token_ids(SIZES["T"]), answers, ends)


def use_chains(log):
    """Write sums whose whole text has T tokens, and vote."""
    log.sizes = SIZES
    sums, answers, voting = part("tasks.sums"), part("tasks.answers"), part("experiments.voting")
    items = sums.draw_digits(1, np.random.default_rng(0), 3)
    sums.sum_texts(sums.no_steps, items)
    sums.SUM_WORDS.encode("2 : = 2")
    answers.padded([*token_ids(SIZES["T"])])
    answers.token_after(sums.EQUALS, token_ids(SIZES["T"]))
    answers.text_labels(token_ids(SIZES["T"]), end_is_padding=True)
    voting.majority(voting.exchanged_errors(torch.randint(10, (3, 5)), sums.sum_of(items)))
    log.sizes = SIZES | {"T": 3}
    model = models()[0]
    model.generate = lambda ids, n, **_: F.pad(ids, (0, n))
    voting.sampled_answers(model, items, 5)


def use_updates(log):
    """Add low-rank updates, and read with them."""
    log.sizes = {letter: SIZES[letter] for letter in "BTHGDC"}
    part("training.lora").add_lora(models()[0], 2)(token_ids(SIZES["T"]))


def use_preferences(log):
    """Lower the loss of pairs of rows of T tokens."""
    log.sizes = {letter: SIZES[letter] for letter in "THGDC"}
    model, reference = models()[0], models()[0]
    marker, pairs = 60, torch.randint(1, 60, (3, 2, SIZES["T"]))
    pairs[:, :, 1] = marker
    part("training.preferences").PreferenceLoss(reference, marker, 0.1)(model, pairs)


def use_tuning(log):
    """Sample pairs of answers, and weigh B rows of T tokens, each with an answer."""
    tuning, modern, log.sizes = (
        part("experiments.tuning"),
        part("variants.modern"),
        {"H": 4, "G": 4},
    )
    model = modern.ModernLMHeadModel(tuning.TUNING_CONFIG)
    items = part("tasks.instructions").number_items()[:3]
    part("experiments.preferences").sampled_pairs(model, items, 0)
    log.sizes |= {"B": SIZES["B"], "T": SIZES["T"]}
    ids = torch.randint(1, 60, (SIZES["B"], SIZES["T"]))
    ids[:, 1] = tuning.MARKER
    tuning.mixed_loss(model, ids)


def use_chapter(log):
    """Count and score the first model of the chapter in a terminal."""
    config = part("config").PRESETS["demo"]
    log.sizes = {"B": 2, "T": 128, "V": config.vocab_size, "H": config.n_head, "G": config.n_head}
    part("demo").architecture()


SCENARIOS = (
    use_whole_sequences,
    use_continued_sequences,
    use_attention,
    *([use_flash] if TRITON else []),
    use_generation,
    use_speculation,
    use_filters,
    use_batches,
    use_scoring,
    use_ngrams,
    use_heads,
    use_journey,
    use_labels,
    use_patterns,
    use_chains,
    use_updates,
    use_preferences,
    use_tuning,
    use_chapter,
)


@pytest.fixture(scope="module")
def log():
    """Return the log of the package, used in every scenario."""
    with rewritten(PACKAGE) as used:
        for scenario in SCENARIOS:
            scenario(used)
    return used


def test_the_sizes_of_the_scenarios_are_pairwise_distinct():
    assert len(set(SIZES.values())) == len(SIZES)
    assert SIZES["C"] == SIZES["H"] * SIZES["D"]


def test_every_shape_comment_of_the_package_is_true(log):
    assert list(dict.fromkeys(log.wrong)) == []


def test_every_shape_comment_of_the_package_is_reached(log):
    assert log.unreached() == []
    assert len(log.comments) >= 30


def test_the_package_is_itself_again_after_the_scenarios(log):
    attention = importlib.import_module("gpt_helpers.architecture.attention")
    assert not hasattr(attention, "compare_shape")
