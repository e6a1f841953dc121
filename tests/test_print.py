"""The built book on paper: what a reader gets who prints a page, by day or in the dark."""


def failing(tour, part):
    """Return {page: what is wrong on paper} of the pages where something is."""
    return {name: stay.paper[part][:3] for name, stay in tour.items() if stay.paper[part]}


def test_nothing_that_can_only_be_pressed_is_printed(tour):
    assert failing(tour, "pressed") == {}


def test_no_code_table_or_formula_is_cut_at_the_edge_of_the_paper(tour):
    assert failing(tour, "cut") == {}
    assert failing(tour, "sticking out") == {}


def test_a_page_in_the_dark_is_printed_on_white(tour):
    white = {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}
    assert {
        n: stay.paper["colours"] for n, stay in tour.items() if {*stay.paper["colours"]} - white
    } == {}


def test_after_printing_the_page_is_dark_again(page, address):
    page.emulate_media(color_scheme="dark")
    page.goto(f"{address}/en/index.html")
    for media, theme in (("print", "light"), ("screen", "dark")):
        page.emulate_media(media=media)
        page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
