# SPDX-License-Identifier: Apache-2.0
from inference.batching.tickets import MOST_RETRY_AFTER_S, Pace, Watch


def test_the_wait_grows_with_those_before_and_is_bounded():
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert pace.wait_s(100) == 1
    for _ in range(11):
        pace.ended()
        now[0] += 0.5
    assert [pace.wait_s(jobs) for jobs in (1, 2, 3, 10, 10**6)] == [1, 1, 2, 5, MOST_RETRY_AFTER_S]


def test_only_a_busy_batch_without_steps_is_stalled():
    now = [0.0]
    watch = Watch(lambda: now[0])

    def stalled(steps, *, busy):
        now[0] += 1.0
        return watch.is_stalled(steps, busy=busy, after_s=2.5)

    assert [stalled(step, busy=True) for step in range(5)] == [False] * 5
    assert [stalled(4, busy=False) for _ in range(5)] == [False] * 5
    assert [stalled(4, busy=True) for _ in range(4)] == [False, False, True, True]
