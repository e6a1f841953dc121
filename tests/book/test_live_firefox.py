"""The live model in Firefox, where it is installed: load, logits, writing, and keys."""

import numpy as np
import pytest
import torch

LOADED = "document.querySelector('.live-next')"
PANEL = "document.querySelector('.live-model').panel"


@pytest.fixture(params=["server", "disk"])
def panel(firefox, site, address, request):
    """Load the model of the front page by the Enter key and return Firefox."""
    root = address if request.param == "server" else site.as_uri()
    firefox.open(f"{root}/en/index.html")
    firefox.evaluate("document.querySelector('.live-start').focus()")
    firefox.press("Enter")
    firefox.wait(LOADED)
    return firefox


def test_logits_in_firefox_equal_pytorch(panel, shipped):
    model, tokenizer = shipped
    prompt = panel.evaluate(f"{PANEL}.settings.prompt")
    with torch.no_grad():
        expected = model(torch.tensor([tokenizer.encode(prompt).ids]))["logits"][0, -1]
    found = panel.evaluate(f"Array.from({PANEL}.logits)")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_greedy_text_in_firefox_is_the_text_of_generate(panel, shipped):
    model, tokenizer = shipped
    panel.evaluate(f"{PANEL}.fields.greedy.input.checked = true")
    prompt = panel.evaluate(f"{PANEL}.settings.prompt")
    panel.evaluate(f"{PANEL}.write(30)")
    expected = model.generate(torch.tensor([tokenizer.encode(prompt).ids]), 30, temperature=0)
    assert panel.evaluate(f"{PANEL}.prompt.input.value") == tokenizer.decode(expected[0].tolist())


def test_keys_reach_the_panel_in_firefox(panel):
    focused = "document.activeElement.id || document.activeElement.textContent"
    assert panel.evaluate(focused).endswith("-prompt")
    before = panel.evaluate(f"{PANEL}.prompt.input.value")
    panel.press("Tab")
    assert panel.evaluate(focused) == "Next token"
    panel.press("Enter")
    panel.wait(f"{PANEL}.prompt.input.value.length > {len(before)}")
    panel.evaluate(f"{PANEL}.fields.temperature.input.focus()")
    value = float(panel.evaluate("document.activeElement.value"))
    panel.press("Right")
    assert float(panel.evaluate("document.activeElement.value")) == pytest.approx(value + 0.05)
    panel.evaluate(f"{PANEL}.attention.element.open = true")
    panel.wait("document.querySelector('.live-tokens [aria-pressed=true]')")
    panel.evaluate("document.querySelector('.live-tokens [aria-pressed=true]').focus()")
    said = panel.evaluate("document.querySelector('.live-looks').textContent")
    panel.press("Left")
    assert panel.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert panel.evaluate("document.querySelector('.live-looks').textContent") != said
