"""Fixtures that load the live model of the built book in a page."""

import pytest

from gpt_helpers import pretrained

WEIGHTS = "_static/live/model.safetensors"


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
    page.evaluate(
        """async (weights) => {
          window.live = document.querySelector(".live-model").panel;
          window.bytes = await (await fetch(weights)).arrayBuffer();
          const sealed = await gpt.readSealed(window.bytes);
          window.models = {};
          for (const useWasm of [true, false])
            window.models[useWasm] = new gpt.GPTLMHeadModel(sealed, { useWasm });
        }""",
        f"{address}/en/{WEIGHTS}",
    )
    yield page
    context.close()
