"""The live model as a reader meets it: mouse and keyboard, light and dark, server and disk."""

import re

import numpy as np
import pytest
import torch

from gpt_helpers.architecture import attention, sampling, trace
from tests.helpers.browser import OVERFLOW, find_faults
from tests.helpers.live import WEIGHTS, start

LOOP, ATTENTION, SAMPLING, CACHE = range(4)
PAGES = {LOOP: ("index", 0), ATTENTION: ("architecture", 0), SAMPLING: ("architecture", 1)}
PAGES[CACHE] = ("architecture", 2)
FOCUS = """() => {
  const groups = ".live-next, .live-heads, .live-tokens, .live-scrolls, fieldset, .live-buttons";
  const element = document.activeElement;
  return [!!element.closest(".live-model"), element.closest(groups)?.className];
}"""
JAPANESE = re.compile("[ぁ-んァ-ヶ一-龯]")


@pytest.fixture
def panel(page, address, request):
    """Open a panel of the English edition: the one that the test names, or that of the loop."""
    name, number = PAGES[getattr(request, "param", LOOP)]
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield start(page, f"{address}/en/{name}.html", number)
    assert errors == []


def text_of(panel):
    """Return what stands in the prompt."""
    return panel.get_by_label("Prompt").input_value()


def write(panel):
    """Let the panel write to the end and return the text."""
    panel.get_by_role("button", name="Continue the text", exact=True).click()
    status = panel.locator(".live-status")
    status.get_by_text("Tokens written").wait_for(timeout=60_000)
    return text_of(panel)


def rows_of(panel, selector):
    """Return the texts of a table's body, row by row."""
    return panel.locator(f"{selector} tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )


def percents(cells):
    """Return the numbers of cells such as "12 %"."""
    return [float(cell.split()[0]) for cell in cells]


def test_nothing_of_the_model_is_loaded_before_the_click(page, address):
    asked = []
    page.on("request", lambda request: asked.append(request.url.split("/")[-1].split("?")[0]))
    page.goto(f"{address}/ja/index.html", wait_until="load")
    before = set(asked)
    page.locator(".live-start").click()
    page.locator(".live-next").wait_for()
    assert "start.js" in before
    files = {"live.js", "model.safetensors", "weights.js"}
    assert files & before == set()
    assert files & set(asked) == {"live.js", "model.safetensors"}


def test_pages_without_a_panel_carry_nothing_of_it(page, address):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/ja/notation.html", wait_until="load")
    assert [url for url in asked if "/live/" in url] == []


@pytest.mark.parametrize("edition", ["ja", "en"])
def test_a_panel_opened_from_disk_writes(page, site, edition):
    outside, errors = [], []
    page.on("request", lambda r: r.url.startswith(("file:", "data:")) or outside.append(r.url))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    panel = start(page, (site / edition / "index.html").as_uri())
    before = panel.locator("textarea").input_value()
    panel.locator(".live-buttons button").first.click()
    panel.page.wait_for_function(
        "(before) => document.querySelector('.live-model textarea').value !== before", arg=before
    )
    assert panel.locator("textarea").input_value().startswith(before)
    assert (outside, errors) == ([], [])


def test_the_japanese_panel_speaks_japanese(page, address):
    panel = start(page, f"{address}/ja/architecture.html")
    words = panel.locator("label, legend, caption, summary, .live-buttons button, .live-status")
    known = {"top-k", "top-p"}
    assert [
        t for t in words.all_inner_texts() if t and t not in known and not JAPANESE.search(t)
    ] == []
    labels = panel.locator("[aria-label]").evaluate_all("(e) => e.map((x) => x.ariaLabel)")
    assert [label for label in labels if not JAPANESE.search(label)] == []


def test_greedy_text_is_the_text_of_generate(panel, shipped):
    model, tokenizer = shipped
    panel.get_by_label("greedy").check()
    prompt = torch.tensor([tokenizer.encode(text_of(panel)).ids])
    expected = model.generate(prompt, 40, temperature=0)[0].tolist()
    assert write(panel) == tokenizer.decode(expected)
    assert tokenizer.decode(expected).count("def read(self, size):") >= 3  # it repeats itself


def test_the_same_seed_writes_the_same_text_and_another_another(panel):
    texts = []
    for seed in ("7", "7", "8"):
        panel.get_by_role("button", name="Reset").click()
        panel.get_by_label("seed").fill(seed)
        texts.append(write(panel))
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("panel", [SAMPLING], indirect=True)
def test_the_table_shows_probabilities_before_and_after_the_cuts(panel, shipped):
    model, tokenizer = shipped
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer.encode(text_of(panel)).ids]))["logits"][0, -1]
    after = sampling.apply_temperature(logits, 0.8)
    after = sampling.top_p_filter(after, 0.9)
    rows = rows_of(panel, ".live-next")
    ids = logits.argsort(descending=True)[: len(rows)]
    expected = [100 * scores.softmax(-1)[ids] for scores in (logits, after)]
    for column in (1, 2):
        found = percents(row[column] for row in rows)
        np.testing.assert_allclose(found, expected[column - 1], atol=0.51)
    kept = int(after.isfinite().sum())
    note = panel.locator(".live-next .live-hint").inner_text()
    assert note.startswith(f"{kept} of 1,024 stay")
    assert panel.locator(".live-next .live-cut").count() == len(rows) - kept


def test_sliders_change_the_cuts_and_not_the_model(panel):
    before = rows_of(panel, ".live-next")
    slider = panel.get_by_label("top-k")
    slider.focus()
    for _ in range(3):
        panel.page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "3"
    after = rows_of(panel, ".live-next")
    assert [row[1] for row in after] == [row[1] for row in before]
    assert [row[2] == "0.0 %" for row in after] == [False] * 3 + [True] * (len(after) - 3)


def test_a_token_of_the_table_can_be_chosen(panel):
    before, tokens = text_of(panel), rows_of(panel, ".live-next")
    panel.locator(".live-next button").nth(1).click()
    assert text_of(panel) == before + tokens[1][0].replace("␣", " ").replace("⏎", "\n")


@pytest.mark.parametrize("panel", [ATTENTION], indirect=True)
def test_a_picked_token_tells_what_its_head_looks_at(panel, shipped):
    model, tokenizer = shipped
    ids = torch.tensor([tokenizer.encode(text_of(panel)).ids])
    recorded = trace.recorded_attention(model, attention.attention_weights)
    with recorded as maps, torch.no_grad():
        model(ids)
    for layer, head, position in ((2, 2, 14), (4, 1, 9), (0, 3, 1)):
        panel.get_by_role("button", name=f"layer {layer}, head {head}", exact=True).click()
        panel.locator(".live-tokens button").nth(position - 1).click()
        weights = 100 * maps[layer][0, head, position - 1, :position]
        said = panel.locator(".live-looks").inner_text()
        found = re.findall(r"number (\d+)\) ([\d.]+) %", said)
        assert len(found) == min(3, position)
        for (number, percent), weight in zip(
            found, weights.sort(descending=True).values, strict=False
        ):
            assert abs(weights[int(number) - 1] - weight) < 0.01
            assert abs(float(percent) - weight) < 0.51


@pytest.mark.parametrize("panel", [ATTENTION], indirect=True)
def test_an_unfolded_head_shows_scores_mask_weights_and_values(panel, shipped):
    model, tokenizer = shipped
    ids = torch.tensor([tokenizer.encode(text_of(panel)).ids])
    seen = {}

    def attend(q, k, v, padding, dropout):
        seen.setdefault("layers", []).append((q[0], k[0], v[0]))
        return attention.attention(q, k, v, padding, dropout)

    block = [(h.attn, h.attn.attend) for h in model.transformer.h]
    try:
        for module, _ in block:
            module.attend = attend
        with torch.no_grad():
            model(ids)
    finally:
        for module, kept in block:
            module.attend = kept
    q, k, v = (tensor[2] for tensor in seen["layers"][2])
    panel.locator(".live-tokens button").nth(5).click()
    rows = rows_of(panel, ".live-unfold")
    scores = (q @ k.T / q.shape[-1] ** 0.5)[5]
    weights = scores[:6].softmax(-1)
    norms = (weights[:, None] * v[:6]).norm(dim=-1)
    np.testing.assert_allclose([float(row[1]) for row in rows], scores, atol=0.006)
    assert [row[2] for row in rows] == ["visible"] * 6 + ["hidden"] * (len(rows) - 6)
    np.testing.assert_allclose(percents(row[3] for row in rows[:6]), 100 * weights, atol=0.51)
    np.testing.assert_allclose([float(row[4]) for row in rows[:6]], norms, atol=6e-4)
    assert {row[3] for row in rows[6:]} == {"0.0 %"}


@pytest.mark.parametrize("panel", [CACHE], indirect=True)
def test_without_the_cache_every_step_computes_the_whole_sequence(panel):
    length = int(re.search(r"\d+", panel.locator(".live-status").inner_text()).group())
    without = write(panel)
    panel.get_by_label("use the KV cache").check()
    panel.get_by_label("Prompt").fill("def read(self, size):\n    if size")
    assert write(panel) == without
    with_cache, no_cache = rows_of(panel, ".live-cost")
    number = [int(cell.replace(",", "")) for cell in (*with_cache[1:3], *no_cache[1:3])]
    assert number[2:] == [51, sum(range(length, length + 51))]
    assert 51 <= number[0] <= number[1] <= 2 * length + 50


def test_writing_can_be_stopped_and_goes_on(panel):
    panel.get_by_label("tokens to write").fill("1000")
    panel.get_by_role("button", name="Continue the text").click()
    panel.get_by_role("button", name="Stop").click()
    status = panel.locator(".live-status").inner_text()
    panel.get_by_role("button", name="Continue the text").wait_for()
    stopped = text_of(panel)
    panel.page.wait_for_timeout(200)
    assert text_of(panel) == stopped
    assert "written: 1000" not in status
    panel.get_by_role("button", name="Next token").click()
    assert len(text_of(panel)) >= len(stopped)


def test_typing_while_it_writes_stops_the_writing(panel):
    panel.get_by_label("tokens to write").fill("1000")
    panel.get_by_role("button", name="Continue the text").click()
    panel.get_by_label("Prompt").fill("import ")
    panel.locator(".live-status").get_by_text("Tokens read: 2.", exact=True).wait_for()
    panel.page.wait_for_timeout(200)
    assert text_of(panel) == "import "
    assert panel.locator(".live-status").inner_text() == "Tokens read: 2."
    assert panel.get_by_role("button", name="Continue the text").is_visible()


def test_beyond_the_context_the_last_tokens_are_read_as_generate_reads_them(panel, shipped):
    model, tokenizer = shipped
    prompt = "def f(a):\n    return a\n\n" * 40
    panel.get_by_label("greedy").check()
    panel.get_by_label("Prompt").fill(prompt)
    assert "only the last 256 tokens" in panel.locator(".live-status").inner_text()
    panel.get_by_label("tokens to write").fill("5")
    ids = torch.tensor([tokenizer.encode(prompt).ids])
    expected = model.generate(ids, 5, temperature=0)[0].tolist()
    assert write(panel) == tokenizer.decode(expected)


def test_an_empty_prompt_starts_a_document(panel, shipped):
    model, tokenizer = shipped
    panel.get_by_label("Prompt").fill("")
    with torch.no_grad():
        logits = model(torch.tensor([[0]]))["logits"][0, -1]
    best = tokenizer.decode([int(logits.argmax())])
    shown = rows_of(panel, ".live-next")[0][0]
    assert shown.replace("␣", " ").replace("⏎", "\n") == best


def test_reset_puts_back_the_prompt_and_the_settings(panel):
    start_text = text_of(panel)
    panel.get_by_label("temperature").fill("2")
    panel.get_by_label("greedy").check()
    write(panel)
    panel.get_by_role("button", name="Reset").click()
    assert text_of(panel) == start_text
    assert panel.get_by_label("temperature").input_value() == "0.8"
    assert not panel.get_by_label("greedy").is_checked()


@pytest.mark.parametrize(
    ("answer", "told"),
    [({"status": 404}, "could not be read"), ({"body": b"<html>"}, "is damaged")],
    ids=["missing", "damaged"],
)
def test_a_file_that_cannot_be_used_is_told_and_can_be_tried_again(page, address, answer, told):
    page.route(f"**/{WEIGHTS}", lambda route: route.fulfill(**answer))
    page.goto(f"{address}/en/index.html")
    page.locator(".live-start").click()
    page.locator(".live-status").get_by_text(told).wait_for()
    page.unroute(f"**/{WEIGHTS}")
    page.locator(".live-start").click()
    page.locator(".live-next").wait_for()


def test_without_javascript_the_panel_says_so(browser, address):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}/en/index.html")
        assert "This panel needs JavaScript" in page.locator(".live-model").inner_text()
        assert not page.locator(".live-start").is_visible()


def test_the_keyboard_does_it_all(page, address):
    page.goto(f"{address}/en/architecture.html")
    page.locator(".live-start").first.focus()
    page.keyboard.press("Enter")
    panel = page.locator(".live-model").first
    panel.locator(".live-next").wait_for()
    focused = "document.activeElement.id || document.activeElement.textContent"
    assert page.evaluate(focused) == panel.locator("textarea").get_attribute("id")
    stops = []
    while len(stops) < 40:
        page.keyboard.press("Tab")
        inside, name = page.evaluate(FOCUS)
        if not inside:
            break
        stops.append(name)
    assert stops.count("live-heads") == stops.count("live-tokens") == 1
    assert stops.count("live-next") == 12
    assert "live-scrolls" in stops
    chosen = panel.locator(".live-heads [aria-pressed=true]")
    chosen.focus()
    for key, name in (
        ("ArrowRight", "layer 2, head 3"),
        ("ArrowUp", "layer 1, head 3"),
        ("Home", "layer 0, head 0"),
    ):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.ariaLabel") == name
        assert chosen.get_attribute("aria-label") == name


@pytest.mark.parametrize("edition", ["ja", "en"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(browser, address, edition, scheme, width):
    with browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 800}
    ) as context:
        page = context.new_page()
        panel = start(page, f"{address}/{edition}/architecture.html")
        panel.locator("details").evaluate_all("(all) => all.forEach((one) => { one.open = true; })")
        page.wait_for_timeout(300)
        assert find_faults(page, within=".live-model") == []
        assert page.evaluate(OVERFLOW) == 0
        assert panel.evaluate("(box) => box.scrollWidth <= box.clientWidth")


@pytest.mark.parametrize("panel", [ATTENTION], indirect=True)
def test_pictures_take_the_colours_of_the_theme(panel):
    pixels = """(canvas) => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, 1).data]"""
    canvas = panel.locator(".live-stages canvas").nth(1)
    light = canvas.evaluate(pixels)
    panel.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    is_new = f"([canvas, light]) => String(({pixels})(canvas)) !== String(light)"
    panel.page.wait_for_function(is_new, arg=[canvas.element_handle(), light])
