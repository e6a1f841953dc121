"""The first thing on the first page: the model that writes on as one types, and its still."""

import html
import json
import re

import numpy as np
import pytest
import torch
from playwright.sync_api import TimeoutError

from gpt_helpers.architecture import sampling
from gpt_helpers.figures.drawings.text import as_token
from tests.book.test_failures import FAULTS as BROKEN_FILES
from tests.book.test_failures import WRITES, fail_once
from tests.helpers.browser import EDITIONS, OVERFLOW, find_faults

PROMPT = "Once upon a time"
FILES = {"live.js", "model.safetensors", "weights.js"}
READ = 256 - 24  # tokens of the end of a text, so that what is written on fits into the context
BEST = 5  # first choices that are shown
# Notes when the line that a screen reader speaks changes, and so when the model has written.
LISTEN = """() => {
  window.told = 0;
  new MutationObserver(() => (window.told += 1))
    .observe(document.querySelector(".hero-status"), { childList: true });
}"""
ENGINE = """([text, n, seed]) => {
  const { model, tokenizer } = document.querySelector(".hero").hero;
  const random = gpt.randomNumbers(seed), ids = tokenizer.encode(text).slice(-232);
  const start = ids.length;
  while (ids.length < start + n) {
    const logits = model.forward(ids, new gpt.KVCache(model.config), false);
    ids.push(gpt.sample(logits, { temperature: 0.8 }, random()));
  }
  return tokenizer.decode(ids.slice(start));
}"""
GHOST = """(box) => [...box.querySelectorAll(".hero-ghost > span")].map(
  (token) => [token.textContent, parseFloat(token.style.getPropertyValue("--hero-share"))])"""
NEXT = """(box) => [...box.querySelectorAll(".hero-next button")].map((button) =>
  [Number(button.dataset.id), button.querySelector("code").textContent,
   button.querySelector("span").textContent])"""


@pytest.fixture(params=EDITIONS)
def edition(request):
    """Return the language of an edition."""
    return request.param


@pytest.fixture
def hero(page, address):
    """Open the first page of the English edition; no script of it may fail."""
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}/en/index.html")
    page.evaluate(LISTEN)
    yield page.locator(".hero")
    assert errors == []


def text_of(hero):
    """Return what stands in the line."""
    return hero.locator("textarea").input_value()


def write(hero, text):
    """Write a text into the line and wait until the model has written on."""
    hero.page.evaluate("window.told = 0")
    hero.locator("textarea").fill(text)
    settle(hero)


def settle(hero):
    """Wait until the model has written on."""
    hero.page.wait_for_function(
        "() => document.querySelector('.hero').hero && window.told > 0", timeout=60_000
    )


def wake(hero):
    """Touch the line, and wait until the model has written on."""
    hero.locator("textarea").focus()
    hero.page.wait_for_function("document.querySelector('.hero').hero", timeout=60_000)
    hero.page.wait_for_function(
        "/^The next/.test(document.querySelector('.hero-status').innerText)"
    )


def seen(text):
    """Return a token as the list shows it."""
    return re.sub("␣{4,}", lambda blanks: f"␣×{len(blanks[0])}", as_token(text))


def unseen(token):
    """Return the text of a token of the list."""
    blanks = re.sub(r"␣×(\d+)", lambda found: "␣" * int(found[1]), token)
    return blanks.replace("␣", " ").replace("⏎", "\n")


def likeliest(shipped, text):
    """Return [(id, as it is shown, percent), ...] of PyTorch for the token after a text."""
    model, tokenizer = shipped
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer.encode(text).ids[-READ:] or [0]]))["logits"][0, -1]
    best = logits.softmax(-1).topk(BEST)
    tokens = [seen(tokenizer.decode([token])) for token in best.indices.tolist()]
    return list(zip(best.indices.tolist(), tokens, (100 * best.values).tolist(), strict=True))


def assert_choices(hero, shipped, text):
    """Assert that the bars show what PyTorch finds likeliest after a text."""
    found, expected = hero.evaluate(NEXT), likeliest(shipped, text)
    assert [row[:2] for row in found] == [list(row[:2]) for row in expected]
    percents = [float(row[2].removesuffix(" %")) for row in found]
    np.testing.assert_allclose(percents, [row[2] for row in expected], atol=0.51)
    assert all(abs(p - e[2]) < 0.051 for p, e in zip(percents, expected, strict=True) if p < 9)


def test_the_still_is_what_the_package_draws_with_the_random_numbers_of_the_engine(
    site, shipped, engine, edition
):
    text = (site / edition / "index.html").read_text(encoding="utf-8")
    spans = re.findall(r'--hero-share:([\d.]+)%;--hero-turn:\d+">(.*?)</span>', text, re.DOTALL)
    settings = json.loads(
        html.unescape(re.search(r'class="hero".*?data-settings="(.*?)"', text)[1])
    )
    model, tokenizer = shipped
    ids = tokenizer.encode(PROMPT).ids
    numbers = (
        "([seed, n]) => { const r = gpt.randomNumbers(seed); return Array.from({length: n}, r); }"
    )
    for (share, written), u in zip(
        spans, engine.evaluate(numbers, [settings["seed"], len(spans)]), strict=True
    ):
        with torch.no_grad():
            logits = model(torch.tensor([ids]))["logits"][0, -1]
        drawn = sampling.cut(logits, settings["temperature"]).double().softmax(-1)
        token = int((drawn.cumsum(0) > u).nonzero()[0])
        assert html.unescape(written) == tokenizer.decode([token])
        assert abs(float(share) - 100 * logits.softmax(-1)[token]) < 0.006
        ids.append(token)
    assert len(spans) == 24
    assert tokenizer.decode(ids).startswith("Once upon a timeout")


def test_the_first_choices_of_the_still_are_those_of_the_package(hero, shipped):
    assert_choices(hero, shipped, PROMPT)


def test_nothing_of_the_model_is_loaded_before_a_touch(page, address, edition):
    asked = []
    page.on("request", lambda request: asked.append(request.url.split("/")[-1].split("?")[0]))
    page.goto(f"{address}/{edition}/index.html", wait_until="load")
    page.wait_for_timeout(200)
    assert FILES & set(asked) == set()
    page.locator(".hero-text").click()
    page.wait_for_function("document.querySelector('.hero').hero", timeout=60_000)
    assert FILES & set(asked) == {"live.js", "model.safetensors"}


def test_a_touch_alone_changes_nothing_of_what_is_seen(hero):
    before = hero.evaluate(GHOST), hero.evaluate(NEXT)
    wake(hero)
    ghost, choices = hero.evaluate(GHOST), hero.evaluate(NEXT)
    assert [text for text, _ in ghost] == [text for text, _ in before[0]]
    np.testing.assert_allclose([s for _, s in ghost], [s for _, s in before[0]], atol=0.006)
    assert choices == before[1]


@pytest.mark.parametrize("text", ["import os\nimport ", "", "日本の首都は", "x" * 300])
def test_what_is_written_on_is_what_the_engine_writes(hero, shipped, text):
    wake(hero)
    write(hero, text)
    ghost = hero.evaluate(GHOST)
    assert 0 < len(ghost) <= 24
    assert_choices_or_bytes(hero, shipped, text)
    expected = hero.page.evaluate(ENGINE, [text or "<|endoftext|>", len(ghost), 3])
    spoken = hero.locator(".hero-status .visually-hidden").text_content()
    assert spoken == f" {expected}"
    if "\ufffd" not in expected:
        assert "".join(token for token, _ in ghost) == expected


def assert_choices_or_bytes(hero, shipped, text):
    """Assert what the bars show; bytes that are no whole character are shown as numbers."""
    found, expected = hero.evaluate(NEXT), likeliest(shipped, text)
    assert [row[0] for row in found] == [row[0] for row in expected]
    assert all(
        re.fullmatch("(<[0-9a-f]{1,2}>)+", row[1]) if "\ufffd" in wanted[1] else row[1] == wanted[1]
        for row, wanted in zip(found, expected, strict=True)
    )


def test_a_chip_begins_another_text_also_before_the_model_is_there(hero):
    for place, prompt in enumerate((PROMPT, "def fibonacci(n):", "日本の首都は")):
        hero.page.evaluate("window.told = 0")
        chip = hero.locator(".hero-chips button").nth(place)
        assert chip.inner_text() == prompt
        chip.click()
        settle(hero)
        assert text_of(hero) == prompt
        assert hero.locator(".hero-ghost > span").count() > 0


def test_a_choice_is_appended_also_before_the_model_is_there(hero, shipped):
    for place in (1, 3, 0):
        before, token = text_of(hero), hero.evaluate(NEXT)[place][1]
        hero.page.evaluate("window.told = 0")
        hero.locator(".hero-next button").nth(place).click()
        settle(hero)
        text = before + unseen(token)
        assert text_of(hero) == text
        assert_choices(hero, shipped, text)
        assert hero.locator(".hero-typed").text_content() == text


def test_another_continuation_has_the_same_choices(hero):
    wake(hero)
    ghost, choices = hero.evaluate(GHOST), hero.evaluate(NEXT)
    hero.page.evaluate("window.told = 0")
    hero.get_by_role("button", name="Another continuation").click()
    settle(hero)
    assert hero.evaluate(NEXT) == choices
    assert hero.evaluate(GHOST) != ghost
    assert "seed 4" in hero.locator(".hero-status").inner_text()


def test_right_takes_in_one_token_at_the_end_and_moves_the_caret_elsewhere(hero):
    wake(hero)
    [first, second, *_] = [text for text, _ in hero.evaluate(GHOST)]
    press = hero.page.keyboard.press
    press("Home")
    press("ArrowRight")
    assert text_of(hero) == PROMPT
    press("End")
    press("ArrowRight")
    press("ArrowRight")
    assert text_of(hero) == PROMPT + first + second
    hero.page.wait_for_function("document.querySelectorAll('.hero-ghost > span').length === 24")


def test_tab_takes_in_a_token_while_one_writes_and_is_the_way_out_else(hero):
    focused = "document.activeElement.className"
    wake(hero)
    press = hero.page.keyboard.press
    press("Tab")
    assert text_of(hero) == PROMPT
    assert hero.page.evaluate(focused) != "hero-text"
    press("Shift+Tab")
    assert hero.page.evaluate(focused) == "hero-text"
    hero.page.evaluate("window.told = 0")
    press("End")
    hero.page.keyboard.type("s")
    settle(hero)
    first = hero.evaluate(GHOST)[0][0]
    press("Tab")
    assert text_of(hero) == f"{PROMPT}s{first}"
    press("Escape")
    press("Tab")
    assert hero.page.evaluate(focused) != "hero-text"
    assert text_of(hero) == f"{PROMPT}s{first}"


def test_a_token_that_is_pressed_takes_in_all_up_to_it(hero):
    wake(hero)
    ghost = [text for text, _ in hero.evaluate(GHOST)]
    hero.locator(".hero-ghost > span").nth(4).click()
    assert text_of(hero) == PROMPT + "".join(ghost[:5])
    left = [text for text, _ in hero.evaluate(GHOST)]
    assert left[:19] == ghost[5:]


def test_keys_of_one_moment_are_read_once(hero):
    wake(hero)
    counted = hero.page.evaluate("""async () => {
      const { hero } = document.querySelector(".hero"), forward = hero.model.forward;
      const read = [];
      hero.model.forward = (...given) => {
        read.push(given[0].length);
        return forward.apply(hero.model, given);
      };
      for (let n = 1; n <= 20; n++) {
        hero.text.value = "a ".repeat(n);
        hero.text.dispatchEvent(new InputEvent("input", { bubbles: true }));
      }
      const at = [read.length];
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      at.push(read.length);
      hero.model.forward = forward;
      return at;
    }""")
    assert counted[0] == 0
    assert 1 <= counted[1] <= 3


def test_nothing_is_written_on_while_a_word_is_composed(hero):
    wake(hero)
    send = """(text, type, composing) => {
      text.dispatchEvent(new InputEvent(type, { bubbles: true, isComposing: composing }));
    }"""
    line = hero.locator("textarea")
    line.evaluate(f"(text) => {{ text.value = 'にほ'; ({send})(text, 'input', true); }}")
    hero.page.wait_for_timeout(300)
    assert hero.locator(".hero-ghost > span").count() == 0
    assert hero.locator(".hero-typed").text_content() == "にほ"
    line.evaluate(f"(text) => {{ text.value = '日本'; ({send})(text, 'input', true); }}")
    line.evaluate("(text) => text.dispatchEvent(new CompositionEvent('compositionend'))")
    hero.page.wait_for_function("document.querySelectorAll('.hero-ghost > span').length > 3")
    assert hero.locator(".hero-typed").text_content() == "日本"


def test_a_screen_reader_is_told_once_and_when_all_is_written(hero):
    wake(hero)
    hero.page.evaluate("window.told = 0")
    hero.locator("textarea").press_sequentially(" and so", delay=30)
    assert hero.page.evaluate("window.told") == 0
    settle(hero)
    hero.page.wait_for_timeout(300)
    assert hero.page.evaluate("window.told") == 1


def test_opened_from_disk_it_writes_and_asks_for_nothing_outside(page, site, edition):
    outside, errors = [], []
    page.on("request", lambda r: r.url.startswith(("file:", "data:")) or outside.append(r.url))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.goto((site / edition / "index.html").as_uri())
    page.evaluate(LISTEN)
    page.locator(".hero-text").focus()
    page.wait_for_function("document.querySelector('.hero').hero", timeout=60_000)
    write(page.locator(".hero"), "def f(x):")
    assert page.locator(".hero-ghost > span").count() > 0
    assert (outside, errors) == ([], [])


def test_without_webassembly_it_writes_the_same(browser, address):
    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script("delete globalThis.WebAssembly")
        page.goto(f"{address}/en/index.html")
        hero = page.locator(".hero")
        before = [text for text, _ in hero.evaluate(GHOST)]
        wake(hero)
        assert page.evaluate("document.querySelector('.hero').hero.model.wasm") is False
        assert [text for text, _ in hero.evaluate(GHOST)] == before


@pytest.mark.parametrize("fault", BROKEN_FILES.values(), ids=BROKEN_FILES)
@pytest.mark.parametrize("file", [r"/live\.js", r"/model\.safetensors"])
def test_a_file_that_fails_is_told_and_the_next_touch_tries_again(
    page, address, edition, file, fault
):
    fail_once(page, file, fault)
    page.goto(f"{address}/{edition}/index.html")
    hero = page.locator(".hero")
    still = hero.evaluate(GHOST)
    hero.locator(".hero-next button").nth(1).click()
    status = hero.locator(".hero-status")
    page.wait_for_function(
        "(told) => document.querySelector('.hero-status').textContent.startsWith(told)",
        arg=WRITES[edition][0],
    )
    assert status.is_visible()
    assert hero.evaluate(GHOST) == still
    hero.locator(".hero-next button").nth(1).click()
    page.wait_for_function("document.querySelector('.hero').hero", timeout=60_000)
    assert text_of(hero) == f"{PROMPT}z"


def test_without_a_script_the_still_is_all_there(browser, address, edition):
    with browser.new_context(java_script_enabled=False, reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(f"{address}/{edition}/index.html")
        hero = page.locator(".hero")
        shown = hero.inner_text()
        assert hero.locator("textarea").input_value() == PROMPT
        assert shown.startswith("out, and a timeout records.")
        assert "JavaScript" in shown
        assert hero.locator(".hero-bar:visible").count() == BEST
        assert hero.locator("button:visible").count() == 0
        assert not hero.locator(".hero-chips").is_visible()


def test_on_paper_the_text_and_what_is_written_on_stand(hero):
    hero.page.emulate_media(media="print")
    visible = "(name) => getComputedStyle(document.querySelector(name)).visibility"
    assert hero.page.evaluate(visible, ".hero-typed") == "visible"
    assert not hero.locator("textarea").is_visible()
    assert hero.locator(".hero-ghost").is_visible()


def test_with_reduced_motion_nothing_moves(browser, address):
    with browser.new_context(reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(f"{address}/en/index.html")
        name = "getComputedStyle(document.querySelector('.hero-ghost > span')).animationName"
        assert page.evaluate(name) == "none"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(browser, address, edition, scheme, width):
    with browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
    ) as context:
        page = context.new_page()
        page.goto(f"{address}/{edition}/index.html")
        assert find_faults(page, within=".hero") == []
        page.locator(".hero-text").focus()
        page.wait_for_function("document.querySelector('.hero').hero", timeout=60_000)
        page.wait_for_function("document.querySelectorAll('.hero-ghost > span').length > 20")
        assert find_faults(page, within=".hero") == []
        assert page.evaluate(OVERFLOW) == 0
        assert page.locator(".hero-editor").bounding_box()["y"] < 400


def test_what_is_typed_lies_where_the_mirror_has_it(hero):
    wake(hero)
    write(hero, "a long text that is broken into lines, " * 6)
    heights = hero.evaluate("""(box) => {
      const text = box.querySelector("textarea"), typed = box.querySelector(".hero-typed");
      const line = parseFloat(getComputedStyle(typed).lineHeight);
      text.style.height = "0";
      const lines = [text.scrollHeight, typed.getBoundingClientRect().height];
      text.style.height = "";
      const padding = 2 * parseFloat(getComputedStyle(text).paddingTop);
      return [Math.round((lines[0] - padding) / line),
        new Set([...typed.getClientRects()].map((box) => Math.round(box.top))).size];
    }""")
    assert heights[0] == heights[1] > 2


# Faults that a person could make in the script: one of these checks notices each.

FAULTS = [
    ("the seed is another", "gpt.randomNumbers(this.seed)", "gpt.randomNumbers(this.seed+1)"),
    ("the temperature is left out", "{temperature:this.temperature}", "{}"),
    ("what is written is forgotten", "const ids=[...read,", "const ids=[...read];void[,"),
    ("what is taken in is not written", "this.text.value=this.typed", "this.typed"),
    ("a bar appends its neighbour", "bar.dataset.id=id", "bar.dataset.id=id+1"),
    ("what is taken in stays", "this.ghost.splice(0,n)", "this.ghost.slice(0,n)"),
    ("bars are those of the second", "likeliest[place],shares", "likeliest[place+1],shares"),
]


def findings(page, address, shipped):
    """Return which checks fail of a page whose script may have a fault."""
    page.goto(f"{address}/en/index.html")
    page.evaluate(LISTEN)
    hero = page.locator(".hero")
    still = [text for text, _ in hero.evaluate(GHOST)]
    wake(hero)
    found = [] if [text for text, _ in hero.evaluate(GHOST)] == still else ["ghost"]
    write(hero, "import o")
    rows = hero.evaluate(NEXT)
    found += [] if rows[0][:2] == list(likeliest(shipped, "import o")[0][:2]) else ["bars"]
    first = hero.evaluate(GHOST)[0][0]
    hero.page.keyboard.press("ArrowRight")
    again = hero.evaluate(GHOST)[:1]
    found += [] if text_of(hero) == f"import o{first}" and again[0][0] != first else ["accept"]
    page.evaluate("window.told = 0")
    settle(hero)
    before, token = text_of(hero), hero.evaluate(NEXT)[2][1]
    rows = hero.evaluate(NEXT)
    found += [] if rows[0][:2] == list(likeliest(shipped, before)[0][:2]) else ["bars"]
    hero.locator(".hero-next button").nth(2).click()
    return found + ([] if text_of(hero) == before + unseen(token) else ["append"])


def test_the_script_without_a_fault_passes_every_check(page, address, shipped):
    assert findings(page, address, shipped) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0])
def test_a_fault_of_the_script_is_noticed(page, address, site, shipped, fault):
    _, old, new = fault
    source = (site / "en" / "_static" / "live" / "live.js").read_text(encoding="utf-8")
    assert source.count(old) == 1
    page.route("**/live.js*", lambda route: route.fulfill(body=source.replace(old, new)))
    assert noticed(page, address, shipped)


def noticed(page, address, shipped):
    """Return whether a check fails, or waits in vain."""
    page.set_default_timeout(5_000)
    try:
        return findings(page, address, shipped) != []
    except TimeoutError:
        return True
