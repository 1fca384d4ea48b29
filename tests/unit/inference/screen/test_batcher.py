# SPDX-License-Identifier: Apache-2.0
import threading
import time
from concurrent.futures import CancelledError, wait

import pytest

from inference.screen.batcher import CPU_BATCHES, FAILURES_TO_UNREADY, BatchBounds, Batcher, ScreenBusy, ScreenFailed
from inference.screen.question import Piece
from policies.screening.model import Origin

LATER = float("inf")
SMALL = BatchBounds(windows=4, chars=10_000, linger_s=0.0, waiting_windows=8, kept_scores=0)


class FakeScorer:
    """Scores a text by its length, and tells of its batches. While `held`, a batch does not end."""

    def __init__(self):
        self.batches = []
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()
        self.fails = False

    def score(self, texts, origins):
        self.batches.append(list(texts))
        self.begun.release()
        assert self.go_on.wait(20)
        if self.fails:
            raise LookupError("secret")
        return [len(text) / 100 for text in texts]


class CountingMeter:
    def __init__(self):
        self.scored_windows = self.reused_windows = 0

    def scored(self, *, windows, seconds):
        self.scored_windows += windows

    def reused(self, *, windows):
        self.reused_windows += windows


def pieces(*texts):
    return [Piece(text, Origin.USER) for text in texts]


@pytest.fixture
def scorer():
    return FakeScorer()


@pytest.fixture
def started(scorer):
    made = []

    def start(bounds=SMALL, clock=time.monotonic):
        batcher = Batcher(scorer, bounds=bounds, meter=CountingMeter(), clock=clock)
        batcher.start()
        made.append(batcher)
        return batcher

    yield start
    scorer.go_on.set()
    for batcher in made:
        batcher.stop(timeout_s=10)


def hold(scorer, batcher):
    """A batch that does not end, so that what comes next waits."""
    scorer.go_on.clear()
    first = batcher.submit(pieces("held"), deadline=LATER)
    assert scorer.begun.acquire(timeout=10)
    return first


def test_gives_each_window_its_own_score_in_order(started):
    question = started().submit(pieces("aaa", "a", "aa", "aaaaaa", "aaaaa"), deadline=LATER)
    assert question.answer.result(10) == (0.03, 0.01, 0.02, 0.06, 0.05)


def test_questions_share_batches_and_take_turns(scorer, started):
    batcher = started()
    hold(scorer, batcher)
    long = batcher.submit(pieces("a", "aa", "aaa", "aaaa"), deadline=LATER)
    short = batcher.submit(pieces("b"), deadline=LATER)
    scorer.go_on.set()
    assert long.answer.result(10) == (0.01, 0.02, 0.03, 0.04)
    assert short.answer.result(10) == (0.01,)
    assert scorer.batches[1:] == [["a", "b", "aa", "aaa"], ["aaaa"]]


def test_a_batch_is_bounded_by_characters(scorer, started):
    batcher = started(BatchBounds(windows=100, chars=10, linger_s=0.0, kept_scores=0))
    hold(scorer, batcher)
    question = batcher.submit(pieces("a" * 6, "b" * 6, "c" * 6), deadline=LATER)
    scorer.go_on.set()
    question.answer.result(10)
    assert scorer.batches[1:] == [["a" * 6, "b" * 6], ["c" * 6]]


def test_the_same_window_of_two_questions_is_scored_once(scorer, started):
    batcher = started()
    hold(scorer, batcher)
    questions = [batcher.submit(pieces("same"), deadline=LATER) for _ in range(3)]
    scorer.go_on.set()
    assert [each.answer.result(10) for each in questions] == [(0.04,)] * 3
    assert scorer.batches[1:] == [["same"]]


def test_the_same_text_of_another_origin_is_another_window(scorer, started):
    batcher = started()
    asked = [Piece("same", Origin.USER), Piece("same", Origin.TOOL_RESULT)]
    assert batcher.submit(asked, deadline=LATER).answer.result(10) == (0.04, 0.04)
    assert scorer.batches == [["same", "same"]]


def test_what_was_scored_before_is_not_scored_again(scorer, started):
    batcher = started(CPU_BATCHES)
    batcher.submit(pieces("once"), deadline=LATER).answer.result(10)
    again = batcher.submit(pieces("once", "new"), deadline=LATER)
    assert again.answer.result(10) == (0.04, 0.03)
    assert scorer.batches == [["once"], ["new"]]
    assert batcher.submit(pieces("new"), deadline=LATER).answer.result(0) == (0.03,)


def test_more_than_may_wait_is_refused_and_less_is_taken_again_later(scorer, started):
    batcher = started()
    hold(scorer, batcher)
    waiting = batcher.submit(pieces(*"abcdefgh"), deadline=LATER)
    with pytest.raises(ScreenBusy):
        batcher.submit(pieces("i"), deadline=LATER)
    scorer.go_on.set()
    waiting.answer.result(10)
    assert batcher.submit(pieces("i"), deadline=LATER).answer.result(10) == (0.01,)


def test_one_question_is_taken_however_long(started):
    texts = ["a" * number for number in range(1, 41)]
    assert len(started().submit(pieces(*texts), deadline=LATER).answer.result(10)) == 40


def test_a_cancelled_question_costs_nothing_more(scorer, started):
    batcher = started()
    hold(scorer, batcher)
    left = batcher.submit(pieces("left"), deadline=LATER)
    stays = batcher.submit(pieces("stays"), deadline=LATER)
    assert left.answer.cancel()
    scorer.go_on.set()
    assert stays.answer.result(10) == (0.05,)
    with pytest.raises(CancelledError):
        left.answer.result(0)
    assert scorer.batches == [["held"], ["stays"]]
    assert batcher.waiting_windows == 0


def test_what_is_past_its_deadline_is_answered_by_what_there_is(scorer, started):
    now = 0.0
    batcher = started(clock=lambda: now)
    hold(scorer, batcher)
    late = batcher.submit(pieces(*"abcdef"), deadline=1.0)
    stays = batcher.submit(pieces("stays"), deadline=3.0)
    now = 2.0
    scorer.go_on.set()
    assert late.answer.result(10) == (None,) * 6
    assert stays.answer.result(10) == (0.05,)
    assert scorer.batches == [["held"], ["stays"]]


def test_so_far_has_what_was_scored(scorer, started):
    batcher = started()
    hold(scorer, batcher)
    question = batcher.submit(pieces(*"abcdef"), deadline=LATER)
    assert question.so_far() == (None,) * 6
    scorer.begun = threading.Semaphore(0)
    scorer.go_on.set()
    question.answer.result(10)
    assert question.so_far() == (0.01,) * 6


def test_a_failure_is_told_without_its_text_and_the_thread_goes_on(scorer, started, capfd):
    batcher = started()
    scorer.fails = True
    failed = batcher.submit(pieces(*"abcdef"), deadline=LATER)
    with pytest.raises(ScreenFailed):
        failed.answer.result(10)
    scorer.fails = False
    assert batcher.submit(pieces("a"), deadline=LATER).answer.result(10) == (0.01,)
    assert batcher.is_ready
    assert len(scorer.batches) == 2  # what was left of the failed one is not scored
    assert "secret" not in "".join(capfd.readouterr())


def test_what_is_no_probability_is_a_failure(scorer, started):
    with pytest.raises(ScreenFailed):
        started().submit(pieces("a" * 101), deadline=LATER).answer.result(10)


def test_readiness_ends_with_failures_in_a_row(scorer, started):
    batcher = started()
    scorer.fails = True
    for _ in range(FAILURES_TO_UNREADY):
        assert batcher.is_ready
        with pytest.raises(ScreenFailed):
            batcher.submit(pieces("a"), deadline=LATER).answer.result(10)
    assert not batcher.is_ready


def test_stopping_answers_what_waits_and_takes_no_more(scorer, started):
    batcher = started()
    first = hold(scorer, batcher)
    waiting = batcher.submit(pieces("a"), deadline=LATER)
    stopper = threading.Thread(target=batcher.stop, kwargs={"timeout_s": 10})
    stopper.start()
    while batcher.is_ready:
        time.sleep(0.01)
    with pytest.raises(ScreenBusy):
        batcher.submit(pieces("b"), deadline=LATER)
    scorer.go_on.set()
    stopper.join(10)
    assert first.answer.result(10) == (0.04,)
    assert waiting.answer.result(10) == (None,)
    assert not batcher.is_ready


def test_many_threads_get_the_scores_that_each_would_get_alone(started):
    batcher = started(BatchBounds(windows=16, chars=500, linger_s=0.001, waiting_windows=100_000))
    asked = [[Piece("x" * (1 + (number * other) % 97), Origin.USER) for other in range(20)] for number in range(50)]
    questions = []
    threads = [
        threading.Thread(target=lambda own=own: questions.append(batcher.submit(own, deadline=LATER))) for own in asked
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    wait([each.answer for each in questions], timeout=20)
    assert len(questions) == 50
    for question in questions:
        assert question.answer.result(0) == tuple(len(piece.text) / 100 for piece in question.pieces)
