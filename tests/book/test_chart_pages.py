"""Charts on the pages of the built book: light until they are touched, and fit for everyone."""

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from tests.book.test_pages import listen
from tests.helpers.browser import OVERFLOW

PAGES = {
    "architecture": ["sampling"],
    "scaling_laws": ["loss", "models"],
    "training": ["schedule", "memory"],
}
N_CONTROLS = {"sampling": 3, "schedule": 4, "memory": 4, "loss": 1, "models": 1}
ON_PAGES = [(page, name) for page, names in PAGES.items() for name in names]


AXE_OF_CHARTS = """async () => {
  const { violations, passes } = await axe.run(".chart", { preload: false });
  const found = violations.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 160)}`);
  return passes.length > 5 ? found : ["axe looked at nothing"];
}"""


@pytest.fixture(params=["ja", "en"])
def edition(request):
    """Return the language of an edition."""
    return request.param


def chart_of(page, name):
    """Return a chart of a page of the book."""
    return page.locator(f"#chart-fig-{name}-explorer")


def wake(page, name):
    """Move the first slider of a chart by one step and wait until the chart has followed."""
    chart = chart_of(page, name)
    before = chart.locator(".chart-result").text_content()
    chart.locator("input[type=range]").first.press("ArrowLeft")
    page.wait_for_function(
        "([chart, before]) => chart.querySelector('.chart-result').textContent !== before",
        arg=[chart.element_handle(), before],
    )
    return chart


def fills(chart):
    """Return the colours in which the chart's marks are seen, in order."""
    return chart.locator(".chart-picture").evaluate(
        "(picture) => [...picture.querySelectorAll('path, line')].filter((e) =>"
        " e.checkVisibility() && e.closest('.role-mark')).map((e) => getComputedStyle(e))"
        ".map((style) => [style.fill, style.stroke].join())"
    )


@pytest.mark.parametrize("from_disk", [False, True], ids=["from a server", "from disk"])
@pytest.mark.parametrize(("page_name", "name"), ON_PAGES)
def test_vega_is_fetched_when_a_chart_is_touched_and_not_before(
    page, site, address, edition, page_name, name, from_disk
):
    outside, errors = listen(page, "file://" if from_disk else address)
    fetched = []
    page.on("request", lambda request: fetched.append(request.url.rsplit("/", 1)[-1]))
    page.goto(f"{site.as_uri() if from_disk else address}/{edition}/{page_name}.html")
    chart_of(page, name).scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    assert "vega.js" not in fetched
    wake(page, name)
    assert fetched.count("vega.js") == 1
    assert (outside, errors) == ([], [])


def test_a_page_without_a_chart_loads_nothing_for_charts(site, edition):
    for path in (site / edition).glob("*.html"):
        text = path.read_text("utf-8")
        assert ("charts/charts.js" in text) == ('class="chart"' in text), path
        assert ('class="chart"' in text) >= (path.stem in PAGES)


@pytest.mark.parametrize(("page_name", "name"), ON_PAGES)
def test_every_slider_and_menu_has_a_label_and_answers_to_keys(
    page, site, edition, page_name, name
):
    page.goto((site / edition / f"{page_name}.html").as_uri())
    chart = chart_of(page, name)
    controls = chart.locator("input, select")
    assert controls.count() == N_CONTROLS[name]
    for label, control in zip(chart.locator("label").all(), controls.all(), strict=True):
        assert chart.get_by_label(label.text_content(), exact=True).count() == 1
        before = control.input_value()
        control.focus()
        at_the_end = before == control.evaluate("(control) => String(Number(control.max))")
        page.keyboard.press("ArrowLeft" if at_the_end else "ArrowRight")
        if control.evaluate("(control) => control.tagName") == "SELECT":
            page.keyboard.press("ArrowUp")
            page.keyboard.press("ArrowDown")
            page.keyboard.press("ArrowDown")
        assert control.input_value() != before, label.text_content()


@pytest.mark.parametrize(("page_name", "name"), ON_PAGES)
def test_without_javascript_a_chart_is_a_picture_with_its_result(
    browser, site, edition, page_name, name
):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto((site / edition / f"{page_name}.html").as_uri())
        chart = chart_of(page, name)
        assert chart.locator("svg:visible").count() == 1
        assert chart.locator("svg:visible .role-mark path").count() >= 3
        assert chart.locator(".chart-result").text_content().strip()
        assert not chart.locator(".chart-controls").is_visible()


@pytest.mark.parametrize(("page_name", "name"), ON_PAGES)
def test_the_first_drawing_says_and_shows_what_the_picture_does(page, site, page_name, name):
    page.goto((site / "en" / f"{page_name}.html").as_uri())
    chart = chart_of(page, name)
    picture, said = fills(chart), chart.locator(".chart-result").text_content()
    chart.locator("input[type=range]").first.focus()
    page.wait_for_function("(chart) => chart.view", arg=chart.element_handle())
    assert fills(chart) == picture
    drawn_line = chart.locator(".summary_marks text").text_content()
    assert drawn_line.split() == said.split()


@pytest.mark.parametrize("woken", [False, True], ids=["picture", "drawing"])
@pytest.mark.parametrize(("page_name", "name"), ON_PAGES)
def test_the_colours_follow_the_theme(page, site, page_name, name, woken):
    page.emulate_media(color_scheme="light")
    page.goto((site / "en" / f"{page_name}.html").as_uri())
    chart = wake(page, name) if woken else chart_of(page, name)
    light = fills(chart)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    dark = fills(chart)
    assert len(light) == len(dark) >= 3
    assert all(a != b for a, b in zip(light, dark, strict=True))


@pytest.mark.parametrize("page_name", PAGES)
def test_axe_finds_nothing_in_charts_that_are_awake(page, site, edition, page_name):
    for width, scheme in ((1280, "light"), (360, "dark"), (1280, "dark"), (360, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.goto((site / edition / f"{page_name}.html").as_uri())
        for name in PAGES[page_name]:
            wake(page, name)
        page.evaluate(AXE_SCRIPT)
        assert page.evaluate(AXE_OF_CHARTS) == [], (width, scheme)
        assert page.evaluate(OVERFLOW) == 0, (width, scheme)


@pytest.mark.parametrize(("page_name", "name"), ON_PAGES)
def test_a_chart_is_a_numbered_figure_that_says_what_it_shows(page, site, edition, page_name, name):
    page.goto((site / edition / f"{page_name}.html").as_uri())
    figure = page.locator(f"figure#fig-{name}-explorer")
    assert figure.locator("figcaption .caption-number").count() == 1
    picture = figure.locator("[role=img]")
    assert len(picture.get_attribute("aria-label")) > 60
    wide = picture.bounding_box()["width"]
    page.set_viewport_size({"width": 360, "height": 800})
    page.wait_for_function(
        "([picture, wide]) => picture.getBoundingClientRect().width < wide / 1.5",
        arg=[picture.element_handle(), wide],
    )


def test_a_drawing_follows_the_width_of_the_page(page, site):
    page.goto((site / "en" / "training.html").as_uri())
    chart = wake(page, "schedule")
    page.set_viewport_size({"width": 360, "height": 800})
    page.wait_for_function(
        "(chart) => chart.querySelector('svg').getBoundingClientRect().width <= 340"
        " && chart.view.width() <= 340",
        arg=chart.element_handle(),
    )


PLOT = """(chart) => {
  const picture = chart.querySelector(".chart-picture");
  const plots = [...picture.querySelectorAll("path.background")].filter((p) => p.checkVisibility());
  const widths = plots.map((plot) => plot.getBoundingClientRect().width);
  return Math.max(...widths) / picture.clientWidth;
}"""


@pytest.mark.parametrize(("page_name", "name"), ON_PAGES)
def test_on_a_small_phone_the_plot_has_most_of_the_width(page, site, edition, page_name, name):
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto((site / edition / f"{page_name}.html").as_uri())
    chart = chart_of(page, name)
    assert 0.6 <= chart.evaluate(PLOT) <= 1
    wake(page, name)
    assert 0.6 <= chart.evaluate(PLOT) <= 1
