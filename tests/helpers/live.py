"""Fixtures that load the live model of the built book in a page."""

import pytest

from gpt_helpers.weights import pretrained

WEIGHTS = "_static/live/model.safetensors"
# With the address of the weights: engines with WebAssembly and without, in a page that has loaded
# the scripts of the model.
BOTH_ENGINES = """async (weights) => {
  window.bytes = await (await fetch(weights)).arrayBuffer();
  const sealed = await gpt.readSealed(window.bytes);
  window.models = {};
  for (const useWasm of [true, false])
    window.models[useWasm] = new gpt.GPTLMHeadModel(sealed, { useWasm });
}"""
# Arrays of float32 as base64: a million numbers pass from the page to Python at once.
BASE64 = """(arrays) => new Promise((resolve) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result.split(",")[1]);
  reader.readAsDataURL(new Blob(arrays));
})"""


def start(page, url, panel=0):
    """Open a page, load the model of one of its panels, and return the panel's locator."""
    page.goto(url)
    box = page.locator(".live-model").nth(panel)
    box.locator(".live-start").click()
    box.locator(".live-next").wait_for(timeout=60_000)
    return box


@pytest.fixture(scope="session")
def shipped(site):
    """Return (model, tokenizer) of PyTorch with the weights of the built book."""
    return pretrained.load_model(site / "ja" / WEIGHTS)


@pytest.fixture(scope="module")
def engine(browser, address):
    """Open one page whose model is loaded: window.live is the panel, models two engines."""
    context = browser.new_context()
    page = context.new_page()
    start(page, f"{address}/en/index.html")
    page.evaluate(f"""() => {{
      window.live = document.querySelector(".live-model").panel;
      window.base64 = {BASE64};
    }}""")
    page.evaluate(BOTH_ENGINES, f"{address}/en/{WEIGHTS}")
    yield page
    context.close()
