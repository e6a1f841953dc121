"""Colours can be told from the page, in the light and in the dark, and the type has one size."""

import pytest
from matplotlib.colors import to_rgb

from gpt_helpers.figures import style

GRAPHIC, TEXT = 3.0, 4.5  # WCAG 2.2: of graphics, and of text


def luminance(colour):
    """Return the relative luminance of a colour, as WCAG defines it."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one, other):
    """Return the ratio of contrast of two colours."""
    high, low = sorted([luminance(one), luminance(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", style.PALETTE)
def test_each_colour_can_be_told_from_the_page(colour):
    assert contrast(colour, style.PAPER) >= GRAPHIC
    assert contrast(style.DARK[colour], style.DARK[style.PAPER]) >= GRAPHIC


def test_text_can_be_read():
    assert contrast(style.INK, style.PAPER) >= TEXT
    assert contrast(style.DARK[style.INK], style.DARK[style.PAPER]) >= TEXT


def test_all_type_has_one_size():
    sizes = {value for key, value in style.STYLE.items() if key.endswith("size")}
    assert sizes == {style.POINTS}


@pytest.mark.parametrize(("value", "text"), [
    (1, "1"), (10, "10"), (1000, "1000"), (10_000, "10⁴"), (1e-5, "10⁻⁵"), (0.01, "0.01"),
    (20, "20"), (0, ""), (1e21, "10²¹"),
])  # fmt: skip
def test_powers_of_ten_are_written_as_a_reader_writes_them(value, text):
    assert style.power_of_ten(value) == text


def test_panels_stand_abreast_where_there_is_room():
    column = style.column.set(style.PHONE)
    try:
        figure, axes = style.panels(3, 2.0)
    finally:
        style.column.reset(column)
    assert len(axes) == 3
    assert tuple(figure.get_size_inches()) == (style.PHONE, 6.0)
    figure, axes = style.panels(3, 2.0)
    assert tuple(figure.get_size_inches()) == (style.DESK, 2.0)
