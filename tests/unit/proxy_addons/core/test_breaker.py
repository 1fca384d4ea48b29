# SPDX-License-Identifier: Apache-2.0
from proxy_addons.core.breaker import Breaker


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def broken():
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(5):
        assert breaker.permits()
        breaker.failed()
    return breaker, clock


def test_who_fails_several_times_in_a_row_is_not_asked():
    breaker, _ = broken()
    assert not breaker.permits()


def test_one_answer_in_between_begins_anew():
    breaker = Breaker(Clock())
    for _ in range(4):
        breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.permits()


def test_after_a_while_one_question_goes_out_to_see():
    breaker, clock = broken()
    clock.now_s += 2
    assert [breaker.permits() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert [breaker.permits() for _ in range(3)] == [True, True, True]


def test_where_it_fails_the_while_begins_anew():
    breaker, clock = broken()
    clock.now_s += 2
    assert breaker.permits()
    breaker.failed()
    assert not breaker.permits()
    clock.now_s += 2
    assert breaker.permits()


def test_where_its_client_leaves_another_goes_out():
    breaker, clock = broken()
    clock.now_s += 2
    assert breaker.permits()
    breaker.left()
    assert breaker.permits()
