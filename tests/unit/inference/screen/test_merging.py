# SPDX-License-Identifier: Apache-2.0
from inference.screen.merging import MOST_WINDOWS, merged, of_one_message, worst, worst_signals, worst_windows
from inference.screen.question import Input, Judged, Versions
from policies.screening.model import Judgement, Layer, Signal, Window

VERSIONS = Versions(rules="1", structure="1", classifier="fake/1")


def window(start, end, score, view="raw"):
    return Window(start=start, end=end, view=view, score=score)


def signal(name, score, layer=Layer.RULES):
    return Signal(layer=layer, name=name, version="1", score=score)


def judgement(score, threshold=0.5, **more):
    return Judgement(score=score, threshold=threshold, **more)


def test_an_injection_counts_before_what_scores_higher_under_a_higher_threshold():
    low, high = judgement(0.6, 0.5), judgement(0.7, 0.9)
    assert worst([high, low]) is low
    assert worst([judgement(0.1), judgement(0.2)]).score == 0.2


def test_each_signal_is_told_once_as_it_weighs_most():
    told = worst_signals([signal("a", 0.1), signal("b", 0.2), signal("a", 0.9), signal("a", 0.3, Layer.STRUCTURE)])
    assert [(each.layer, each.name, each.score) for each in told] == [
        ("rules", "a", 0.9),
        ("structure", "a", 0.3),
        ("rules", "b", 0.2),
    ]


def test_the_worst_window_is_told_and_others_from_the_threshold_on():
    assert worst_windows([window(0, 1, 0.1), window(1, 2, 0.2)], 0.5) == (window(1, 2, 0.2),)
    many = [window(at, at + 1, 0.5 + at / 100) for at in range(20)]
    assert worst_windows(many, 0.5) == tuple(reversed(many))[:MOST_WINDOWS]
    assert worst_windows([], 0.5) == ()


def test_a_place_read_in_two_views_is_told_once():
    assert worst_windows([window(0, 9, 0.6), window(0, 9, 0.7, "folded")], 0.5) == (window(0, 9, 0.7, "folded"),)


def test_parts_of_a_message_are_one_result_whose_places_count_in_all_of_it():
    first = judgement(0.1, windows=(window(0, 3, 0.1),), signals=(signal("a", 0.2),))
    second = judgement(0.9, windows=(window(1, 4, 0.9),), complete=False)
    joined = judgement(0.8, windows=(window(2, 5, 0.8, "joined"),))
    judged = Judged(results=(first, second), joined=joined, versions=VERSIONS)
    result = of_one_message([Input("abc"), Input("defg")], judged)
    assert (result.score, result.label, result.complete) == (0.9, "injection", False)
    assert result.windows == (window(4, 7, 0.9), window(2, 5, 0.8, "joined"))
    assert result.signals == (signal("a", 0.2),)


def test_one_part_that_lacks_something_makes_the_whole_incomplete():
    assert not merged([judgement(0.9), judgement(0.1, complete=False)]).complete
    assert merged([judgement(0.9), judgement(0.1)]).complete
