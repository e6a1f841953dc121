"""Charts with sliders: their numbers are those of the package, at any place of the sliders.

The numbers are read in a real browser, on a page that the tests write: it holds every chart as
the package makes it now. What belongs to the pages of the book is in test_chart_pages.py.
"""

import json
import re
import shutil
from dataclasses import replace

import pytest
import torch

from gpt_helpers.architecture import sampling
from gpt_helpers.config import PRESETS
from gpt_helpers.figures import charts, models_chart, sampling_chart, vegalite
from gpt_helpers.scaling_laws import counts, laws
from gpt_helpers.scaling_laws.data_limits import inference_optimal
from gpt_helpers.training import memory, optimizers
from gpt_helpers.variants.published import disclosed_models
from tests.book.test_pages import listen
from tests.helpers.reference import refused
from theme import charts as theme_charts

# 300 logits, of which many are equal when they are rounded.
LOGITS = torch.randn(300, dtype=torch.float64, generator=torch.manual_seed(0)).mul(3)
LOGITS = torch.where(torch.arange(300) % 3 == 0, LOGITS.round(), LOGITS)
MADE = {
    "sampling": lambda: sampling_chart.sampling_explorer(LOGITS, str),
    "schedule": charts.schedule_explorer,
    "memory": charts.memory_explorer,
    "loss": charts.loss_explorer,
    "models": lambda: models_chart.models_explorer(disclosed_models()),
}
# Wait until Vega has drawn with these values, and return the rows that it draws.
ROWS = """async (chart, [values, field]) => {
  const stands = ([name, value]) => chart.view.signal(name) === value;
  while (!chart.view || !Object.entries(values).every(stands)) await new Promise(requestAnimationFrame);
  await chart.view.runAsync();
  const rows = [];
  const visit = (item) => {
    if (item.datum && field in item.datum) rows.push(item.datum);
    for (const child of item.items ?? []) visit(child);
  };
  visit(chart.view.scenegraph().root);
  return rows;
}"""  # noqa: E501


def write_page(folder):
    """Write a page with every chart as the package makes it now, and what the theme adds."""
    parts = [theme_charts.to_html(make().spec, name, name, "en") for name, make in MADE.items()]
    head = '<meta charset="utf-8"><link rel="stylesheet" href="charts.css">'
    script = '<script src="first.js"></script><script defer src="charts.js"></script>'
    shutil.copy(theme_charts.HERE.parent / "static" / "first.js", folder)
    page = f'<!doctype html><html lang="en"><head>{head}{script}</head><body>{"".join(parts)}'
    (folder / "page.html").write_text(page, encoding="utf-8")
    theme_charts.write_files(folder)
    return (folder / "page.html").as_uri()


@pytest.fixture(scope="module")
def drawn(browser, tmp_path_factory):
    """Open the page of all charts once."""
    context = browser.new_context()
    page = context.new_page()
    _, errors = listen(page, "file://")
    page.goto(write_page(tmp_path_factory.mktemp("charts")))
    yield page
    context.close()
    assert errors == []


def rows_of(page, name, values, field):
    """Move sliders and menus by name, and return the rows with this field that are drawn then."""
    chart = page.locator(f"#chart-{name}")
    for control, value in values.items():
        field_of = chart.locator(f"[name={control}]")
        field_of.select_option(value) if isinstance(value, str) else field_of.fill(str(value))
    return chart.evaluate(ROWS, [values, field])


@pytest.mark.parametrize(
    ("T", "log_k", "p"),
    [(1, 8.3, 1), (0.5, 8.3, 0.9), (2, 8.3, 0.35), (1, 3, 1), (2, 2.3, 0.9), (1.5, 0, 1),
     (0, 5, 0.5), (0.1, 8.3, 1), (0.7, 4.5, 0.01), (1.3, 6.1, 0.99)],
)  # fmt: skip
def test_sliders_of_sampling_cut_as_the_filters_do(drawn, T, log_k, p):  # noqa: N803
    rows = rows_of(drawn, "sampling", {"T": T, "log_k": log_k, "p": p}, "rank")
    logits = LOGITS.mul(1000).round().div(1000)
    k = min(len(logits), round(2**log_k))
    warm = sampling.apply_temperature(logits, T)
    left = sampling.top_p_filter(sampling.top_k_filter(warm, k), p)
    order = logits.argsort(descending=True, stable=True)[:20]
    expected = {
        "before": logits.softmax(-1)[order],
        "after": left.softmax(-1)[order],
        "n_kept": left.isfinite().sum().expand(20),
        "mass": warm.softmax(-1)[left.isfinite()].sum().expand(20),
    }
    found = sorted({row["rank"]: row for row in rows}.values(), key=lambda row: row["rank"])
    assert [row["token"] for row in found] == [str(token) for token in order.tolist()]
    for field, values in expected.items():
        assert [row[field] for row in found] == pytest.approx(values.tolist(), abs=1e-9), field


@pytest.mark.parametrize(
    ("warmup_steps", "total_steps", "min_lr", "cooldown_share"),
    [(20, 200, 0.1, 0.2), (0, 200, 0, 1), (50, 120, 0.3, 0.05), (1, 400, 0.01, 0.5),
     (200, 200, 0.5, 0.2), (150, 100, 0.1, 0.2), (7, 130, 1, 0), (3, 1, 0.2, 0.9)],
)  # fmt: skip
def test_lines_of_schedules_are_learning_rates(
    drawn, warmup_steps, total_steps, min_lr, cooldown_share
):
    values = {"warmup_steps": warmup_steps, "total_steps": total_steps, "min_lr": min_lr}
    values["cooldown_share"] = cooldown_share
    rows = rows_of(drawn, "schedule", values, "rate")
    shape = {**values, "warmup_steps": min(warmup_steps, total_steps), "max_lr": 1.0}
    kinds = {
        "cosine": shape | {"schedule": "cosine"},
        "wsd": shape | {"schedule": "wsd"},
        "constant": shape | {"schedule": "wsd", "cooldown_share": 0},
    }
    for name, arguments in kinds.items():
        found = {row["step"]: row["rate"] for row in rows if row["schedule"] == name}
        expected = [optimizers.learning_rate(step, **arguments) for step in range(200)]
        assert sorted(found) == list(range(200))
        assert [found[step] for step in range(200)] == pytest.approx(expected, abs=1e-12), name


@pytest.mark.parametrize(
    ("model", "log_T", "log_B", "precision"),
    [("gpt2", 10, 3, "mixed"), ("gpt2", 10, 0, "float32"), ("gpt2-medium", 1, 5, "autocast"),
     ("gpt2-large", 1, 0, "mixed"), ("gpt2-xl", 15, 10, "float32"), ("gpt3", 11, 4, "autocast")],
)  # fmt: skip
def test_bars_of_memory_are_the_bytes_of_the_closed_forms(
    drawn, model, log_T, log_B, precision  # noqa: N803
):  # fmt: skip
    values = {"model": model, "log_T": log_T, "log_B": log_B, "precision": precision}
    rows = rows_of(drawn, "memory", values, "bytes")
    config, n_rows = replace(PRESETS[model], n_positions=2**log_T), 2**log_B
    n_parameters = counts.count_parameters(config)
    states = {k: v * n_parameters for k, v in memory.state_bytes(precision).items()}
    activations = sum(memory.activation_bytes(config, n_rows, 2**log_T).values())
    per_value = 4 if precision == "float32" else 2
    cache = n_rows * counts.kv_cache_bytes(config, 2**log_T, per_value)
    assert {row["part"]: row["bytes"] for row in rows} == {
        "weights": states["weights"],
        "gradients": states["gradients"],
        "optimizer": sum(states.values()) - states["weights"] - states["gradients"],
        "activations": activations,
        "training": sum(states.values()) + activations,
        "KV cache": cache,
        "generation": states["weights"] + cache,
    }


@pytest.mark.parametrize("log_C", [18, 19.5, 21, 23.8, 26])
def test_curves_and_dots_of_the_loss_are_those_of_each_fit(drawn, log_C):  # noqa: N803
    rows = rows_of(drawn, "loss", {"log_C": log_C}, "best_N")
    flops = 10.0**log_C
    for fit, law in laws.FITS.items():
        of_fit, best = [row for row in rows if row["fit"] == fit], law.optimum(flops)
        curve = {row["N"]: row["loss"] for row in of_fit if "log_N" in row}
        assert len(curve) > 40
        for n_params, loss in curve.items():
            assert loss == pytest.approx(law.loss(n_params, flops / (6 * n_params)), rel=1e-6)
        assert max(curve.values()) <= best.loss + 1
        (dot,) = {(row["N"], row["loss"]) for row in of_fit if "loss" in row and "log_N" not in row}
        assert dot == pytest.approx((best.n_params, best.loss), rel=1e-6)


@pytest.mark.parametrize("log_T", [9, 12, 13.5, 15])
def test_the_dashed_line_of_the_plane_is_the_best_size_with_the_use_to_come(drawn, log_T):  # noqa: N803
    rows = rows_of(drawn, "models", {"log_T": log_T}, "log_D")
    assert len(rows) > 50
    for row in rows[:: len(rows) // 8]:
        loss = laws.FITS[models_chart.FIT].loss(row["N"], row["D"])
        best = inference_optimal(loss, 10.0**log_T, models_chart.FIT)
        assert (row["N"], row["D"]) == pytest.approx((best.n_params, best.n_tokens), rel=1e-6)


def test_the_band_dots_and_budgets_of_the_plane_are_those_of_the_package(drawn):
    band = rows_of(drawn, "models", {"log_T": 12}, "log_N")
    for row in band[::10]:
        flops = [law.budget(row["N"]) for law in laws.FITS.values()]
        best = [c / (6 * row["N"]) for c in flops]
        assert (row["D"], row["highest"]) == pytest.approx((min(best), max(best)), rel=1e-5)
    dots = {row["model"]: row for row in rows_of(drawn, "models", {"log_T": 12}, "ratio")}
    known = {row["model"]: (row["n_params"], row["n_tokens"]) for row in disclosed_models()}
    assert {name: (row["N"], row["D"]) for name, row in dots.items()} == known
    lines = rows_of(drawn, "models", {"log_T": 12}, "power")
    ends = [row for row in lines if "N" in row]
    assert len(ends) == 2 * len(models_chart.BUDGETS)
    for row in ends:
        assert 6 * row["N"] * row["D"] == pytest.approx(10.0 ** row["power"])


def test_a_dot_of_the_plane_says_its_numbers_when_a_reader_points_at_it(drawn):
    rows_of(drawn, "models", {"log_T": 12}, "ratio")
    dot = drawn.locator("#chart-models .mark-symbol.role-mark path").first
    dot.hover(force=True)
    tip = drawn.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    first = disclosed_models()[0]
    assert first["model"] in tip.inner_text()
    assert f"{first['n_tokens'] / first['n_params']:,.1f}" in tip.inner_text()


@pytest.mark.parametrize("woken", [False, True], ids=["picture", "drawing"])
@pytest.mark.parametrize("name", MADE)
def test_the_plot_has_most_of_the_width_of_a_small_phone(browser, tmp_path, name, woken):
    with browser.new_context(viewport={"width": 336, "height": 700}) as context:
        page = context.new_page()
        page.goto(write_page(tmp_path))
        chart = page.locator(f"#chart-{name}")
        if woken:
            chart.locator("input[type=range]").first.press("ArrowRight")
            page.wait_for_function("(chart) => chart.view", arg=chart.element_handle())
        plot = chart.locator(".role-frame > g > .background").filter(visible=True).first
        assert plot.bounding_box()["width"] >= 0.6 * chart.bounding_box()["width"]


@pytest.mark.parametrize("name", MADE)
def test_a_chart_speaks_the_language_of_its_page(name):
    spec = MADE[name]().spec
    assert theme_charts.in_language(spec, "en") == spec
    text = json.dumps(theme_charts.in_language(spec, "ja"), ensure_ascii=False)
    assert re.search("[ぁ-ん一-龠]", text)


def test_the_line_above_says_what_the_sliders_give(drawn):
    shape = {"warmup_steps": 40, "total_steps": 300, "min_lr": 0.2, "cooldown_share": 0.5}
    rows_of(drawn, "schedule", shape, "rate")
    rates = [optimizers.learning_rate(step, max_lr=1.0, **shape) for step in range(200)]
    line = drawn.locator("#chart-schedule .chart-result")
    begin = f"step 199: cosine {rates[-1]:.3f} (mean {sum(rates) / 200:.3f}), wsd "
    assert re.sub(" +", " ", line.text_content()).startswith(begin)
    rows_of(drawn, "sampling", {"T": 0, "log_k": 5, "p": 0.5}, "rank")
    line = drawn.locator("#chart-sampling .chart-result")
    assert re.sub(" +", " ", line.text_content()) == (
        "T = 0.0, k = 32, p = 0.50: kept 1 / 300, mass 1.000"
    )
    rows_of(drawn, "loss", {"log_C": 21}, "best_N")
    best = laws.compute_optimal(1e21)
    said = drawn.locator("#chart-loss .chart-result").text_content()
    numbers = [float(n) for n in re.findall(r"([\d.]+)G", said)]
    assert numbers == pytest.approx([best.n_params / 1e9, best.n_tokens / 1e9], rel=0.005)
    assert said.endswith("(refit)")


@pytest.mark.parametrize("name", MADE)
def test_a_chart_is_the_same_each_time_and_shows_its_specification(name):
    first, second = MADE[name](), MADE[name]()
    assert json.dumps(first._repr_mimebundle_()) == json.dumps(second._repr_mimebundle_())
    assert repr(first) == f"Chart('{name}')"
    version = re.search(r"/vega-lite/v(\d+)\.", first.spec["$schema"])[1]
    assert first._repr_mimebundle_()[f"application/vnd.vegalite.v{version}+json"] == first.spec


FAR = re.compile("https://cdn.jsdelivr.net/npm/")


@pytest.mark.parametrize("name", MADE)
def test_where_its_type_is_not_known_a_chart_is_html_with_its_sliders(page, name):
    bundle = theme_charts.vl_convert.javascript_bundle(vl_version=theme_charts.VERSION)
    script = {"body": f"(() => {{ {bundle} }})()", "content_type": "text/javascript"}
    page.route(FAR, lambda route: route.fulfill(**script))
    _, errors = listen(page, "https://cdn.jsdelivr.net/")
    page.set_content(MADE[name]()._repr_mimebundle_()["text/html"])
    page.locator(f"#chart-{name} :is(canvas, svg)").first.wait_for()
    sliders = [p for p in MADE[name]().spec["params"] if "bind" in p]
    assert page.locator(f"#chart-{name} :is(input, select)").count() == len(sliders) > 0
    assert errors == []


def test_the_html_of_a_chart_says_that_it_needs_the_network_and_is_not_ended_by_a_token(page):
    chart = sampling_chart.sampling_explorer(LOGITS, lambda token: "</script><b>x</b>")
    page.route(FAR, lambda route: route.abort())
    page.set_content(chart._repr_mimebundle_()["text/html"])
    page.locator("#chart-sampling .error").wait_for()
    assert page.locator("body").inner_text().startswith("Error loading script: https://cdn.")
    assert page.locator("b").count() == 0


@pytest.mark.parametrize("name", MADE)
def test_every_colour_of_a_chart_has_a_twin_in_the_dark(name):
    css = (theme_charts.HERE / "charts.css").read_text("utf-8")
    light, dark = css.split('html[data-theme="dark"]')
    colours = set(re.findall("#([0-9a-f]{6})", json.dumps(MADE[name]().spec)))
    assert [c for c in colours if f"--chart-{c}:" not in light] == []
    derived = {c for c in colours if re.search(rf"--chart-{c}: (?:var|color-mix|transp)", light)}
    assert [c for c in colours - derived if f"--chart-{c}:" not in dark] == []


def test_what_cannot_be_drawn_is_refused_with_the_value():
    row = LOGITS[None, :2]
    refused(r"logits are torch.Size\(\[1, 2\]\)", sampling_chart.sampling_explorer, row, str)
    refused("logits are NoneType", sampling_chart.sampling_explorer, None, str)
    refused(
        "logits hold -inf", sampling_chart.sampling_explorer, LOGITS.sub(LOGITS.min()).log(), str
    )
    refused("n_shown=0 must be", sampling_chart.sampling_explorer, LOGITS, str, 0)
    refused("run_steps=0 must be", charts.schedule_explorer, 0)
    refused("sizes='gpt5' is unknown", charts.memory_explorer, ["gpt5"])
    refused("fits='best' is unknown", charts.loss_explorer, ["best"])
    refused("flops_exponent=30 must be", charts.loss_explorer, flops_exponent=30)
    refused("C=30 must be in 18 to 26", vegalite.slider, "C", 30, 18, 26, 0.1)
    refused("7 names for 6 colours", vegalite.palette, "abcdefg")


def test_an_output_without_alt_text_warns():
    warned = []
    logger = type("Logger", (), {"warning": lambda self, text, **where: warned.append(text)})()
    spec = charts.schedule_explorer().spec
    data = type("Data", (), {"mime_type": vegalite.MIME, "content": spec, "line": 1})()
    env = type("Env", (), {"config": type("Config", (), {"language": "en"})})
    whole = type("Renderer", (), {"sphinx_env": env})()
    renderer = type("Element", (), {"logger": logger, "renderer": whole})()
    data.cell_metadata = {"mystnb": {"image": {"alt": "Lines."}}}
    (node,) = theme_charts.VegaLite.handle_mime(renderer, data, False)
    assert 'aria-label="Lines."' in node.astext()
    assert warned == []
    data.cell_metadata = {}
    theme_charts.VegaLite.handle_mime(renderer, data, False)
    assert warned == ["chart without alt text"]
