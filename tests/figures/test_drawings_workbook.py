"""What the map of the workbook says is true."""

import pytest
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.text import Text

from gpt_helpers.exercises.workbook import USES
from gpt_helpers.exercises.workbook.own_gpt import NEEDED
from gpt_helpers.exercises.workbook.own_training import NEEDED_TO_TRAIN
from gpt_helpers.figures.drawings import assembly
from tests.helpers.looks import faults
from tests.helpers.reference import refused

WIDTHS = (7.5, 3.0)


def boxes_by_name(figure):
    """Return {text: the box in which it stands} of a figure."""
    boxes = [patch.get_bbox() for patch in figure.findobj(FancyBboxPatch)]
    found = {}
    for text in filter(Text.get_text, figure.findobj(Text)):
        inside = [box for box in boxes if box.contains(*text.get_position())]
        found |= {text.get_text(): inside[0]} if inside else {}
    return found


def arrows(figure):
    """Return [(start, end)] of the arrows of a figure."""
    return [arrow._posA_posB for arrow in figure.findobj(FancyArrowPatch)]


@pytest.mark.parametrize("inches", WIDTHS)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_no_text_lies_on_another_or_beyond_the_edge(language, inches):
    assert faults(assembly.functions(USES).figure(language, inches)) == []


@pytest.mark.parametrize("inches", WIDTHS)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_names_of_functions_are_those_of_the_code_in_both_languages(language, inches):
    found = boxes_by_name(assembly.functions(USES).figure(language, inches))
    assert set(USES) <= set(found)
    assert set(found) - set(USES) == {
        "ja": {"学習したGPT", "文章"}, "en": {"a trained GPT", "a text"},
    }[language]  # fmt: skip


def test_on_a_desk_an_arrow_leads_from_each_function_to_its_callers():
    figure = assembly.functions(USES).figure("en", 7.5)
    boxes, found = boxes_by_name(figure), set()
    for start, end in arrows(figure):
        one = min(boxes, key=lambda name: abs(boxes[name].x1 - start[0])
                  + abs(boxes[name].y0 + boxes[name].height / 2 - start[1]))  # fmt: skip
        other = min(boxes, key=lambda name: abs(boxes[name].x0 - end[0])
                    + abs(boxes[name].y0 + boxes[name].height / 2 - end[1]))  # fmt: skip
        found.add((one, other))
        assert boxes[one].x1 < boxes[other].x0
    called = {(used, name) for name, each in USES.items() for used in each}
    ends = {(maker, end) for end, (_, makers) in assembly.ENDS.items() for maker in makers}
    assert found == called | ends


def test_what_an_end_is_made_with_is_what_the_page_calls_for_it():
    makers = {maker for _, names in assembly.ENDS.values() for maker in names}
    assert makers | {"softmax"} == set(NEEDED_TO_TRAIN)
    assert {"gpt", "generate"} == makers & set(NEEDED)


def test_on_a_phone_what_a_function_calls_stands_beside_it():
    figure = assembly.functions(USES).figure("en", 3.0)
    boxes = boxes_by_name(figure)
    beside = {text.get_text(): text.get_position() for text in figure.findobj(Text)}
    assert len(arrows(figure)) == sum(map(bool, USES.values())) + len(assembly.ENDS)
    for name, box in boxes.items():
        assert beside[name][0] < 200, name
        assert box.x1 < figure.get_size_inches()[0] * 72


def test_every_function_of_the_workbook_has_a_place_and_no_two_share_one():
    assert set(assembly.GRID) == set(USES)
    assert len({place[:2] for place in assembly.GRID.values()}) == len(assembly.GRID)


def test_what_is_no_map_is_refused():
    refused("uses is empty", assembly.functions, {})
    refused("uses is a list", assembly.functions, [])
    refused("a name in uses='sofmax'", assembly.functions, {"sofmax": []})
    refused("a name in uses='x'", assembly.functions, {"softmax": ["x"]})
    refused("uses", assembly.functions, {"softmax": "gelu"})
