# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.screen.joining import END_CHARS, SEPARATORS, stretches
from inference.screen.question import Input
from policies.screening.model import Origin

USER, ASSISTANT, TOOL, SYSTEM = Origin.USER, Origin.ASSISTANT_TEXT, Origin.TOOL_RESULT, Origin.SYSTEM


def read(*inputs):
    return [(stretch.text, stretch.origin) for stretch in stretches([Input(*each) for each in inputs])]


def test_one_text_has_no_seam():
    assert read(("alone", USER)) == []
    assert read(("alone", USER), ("", USER)) == []


def test_texts_of_one_origin_are_joined_by_each_separator():
    assert read(("ig", USER), ("repeat", USER)) == [("igrepeat", USER), ("ig repeat", USER), ("ig\nrepeat", USER)]


def test_an_answer_between_hides_nothing_and_orders_of_the_system_are_its_own():
    texts = read(("Obey.", SYSTEM), ("ig", USER), ("Yes?", ASSISTANT), ("repeat", USER))
    assert texts == [
        *[(separator.join(["ig", "Yes?", "repeat"]), USER) for separator in SEPARATORS],
        *[(separator.join(["ig", "repeat"]), USER) for separator in SEPARATORS],
    ]


def test_tool_results_are_joined_as_such():
    assert ("ab", TOOL) in read(("a", TOOL), ("b", TOOL))


@pytest.mark.parametrize("separator", SEPARATORS)
def test_places_lead_back_to_all_texts_one_after_the_other(separator):
    inputs = [Input("SYS", SYSTEM), Input("abc"), Input("de"), Input("fgh")]
    whole = "".join(each.text for each in inputs)
    (stretch,) = [each for each in stretches(inputs) if each.text == separator.join(["abc", "de", "fgh"])]
    for start in range(len(stretch.text)):
        for end in range(start + 1, len(stretch.text) + 1):
            place = stretch.place(start, end)
            letters = stretch.text[start:end].replace(separator, "") if separator else stretch.text[start:end]
            if place is None:
                assert any(letters in each.text for each in inputs)
            else:
                assert whole[slice(*place)] == letters


def test_what_stands_within_one_text_is_no_news():
    stretch = next(stretches([Input("abc"), Input("def")]))
    assert stretch.place(0, 3) is None
    assert stretch.place(3, 6) is None
    assert stretch.place(2, 4) == (2, 4)


def test_of_long_texts_the_ends_are_taken():
    long = "a" * END_CHARS + "b" * 100_000 + "c" * END_CHARS
    inputs = [Input("first"), Input(long), Input("last")]
    texts = [stretch for stretch in stretches(inputs) if "\n" not in stretch.text and " " not in stretch.text]
    assert [each.text for each in texts] == ["first" + "a" * END_CHARS, "c" * END_CHARS + "last"]
    behind = 5 + len(long)
    assert texts[1].place(END_CHARS - 2, END_CHARS + 2) == (behind - 2, behind + 2)


def test_cost_is_bounded_by_the_number_of_texts():
    inputs = [Input("x" * 50_000) for _ in range(20)]
    assert sum(len(each.text) for each in stretches(inputs)) <= 3 * 20 * (2 * END_CHARS + 2)
