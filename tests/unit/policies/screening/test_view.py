# SPDX-License-Identifier: Apache-2.0
from policies.scanning.copy import ScanCopy
from policies.screening.view import Folded, Given, Pieces, Reading, View


def view(text, name="raw"):
    return View(name, Given(text), depth=0)


def test_place_in_a_given_text_is_its_own_even_beyond_ascii():
    assert view("näíve 😊 text").original(6, 9) == (6, 9)


def test_a_reading_leads_back_through_its_view():
    folded = View("folded", ScanCopy("x\u200b\u200bÀb"), depth=0)
    assert folded.text == "xAb"
    backwards = View("backwards", Reading(folded, "bAx", [2, 1, 0]), depth=1)
    assert backwards.original(0, 2) == (3, 5)
    assert backwards.original(2, 3) == (0, 1)


def test_characters_of_a_reading_may_stem_from_several():
    decoded = View("numbers", Reading(view("id 105 103"), "ég", [3, 7], [6, 10]), depth=1)
    assert (decoded.original(0, 1), decoded.original(1, 2), decoded.original(0, 2)) == ((3, 6), (7, 10), (3, 10))


def test_pieces_are_one_view():
    source = view("abc def")
    pieces = View("x", Pieces([Reading(source, "ABC", [0, 1, 2]), Reading(source, "DEF", [4, 5, 6])]), depth=1)
    assert pieces.text == "ABC\nDEF"
    assert pieces.original(0, 3) == (0, 3)
    assert pieces.original(5, 7) == (5, 7)
    assert pieces.original(2, 5) == (2, 5)
    assert pieces.original(3, 4) == (2, 3)


def test_a_view_is_folded_in_place():
    source = view("a ﬁne é!")
    folded = View("x", Folded(source), depth=1)
    assert folded.text == "a fine e!"
    assert (folded.original(2, 4), folded.original(7, 8), folded.original(0, 9)) == ((2, 3), (6, 7), (0, 8))


def test_nothing_stems_from_nowhere():
    assert view("abc").original(2, 2) == (0, 0)
