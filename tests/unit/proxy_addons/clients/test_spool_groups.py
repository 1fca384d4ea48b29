# SPDX-License-Identifier: Apache-2.0
import asyncio
from itertools import pairwise

import pytest

from policies.contracts.record import UNNUMBERED, DecisionRecord
from proxy_addons.clients.spool_groups import Group, Pending, SpoolUnavailable, wake


def pending(*, outcome: str = "allow", done=None) -> Pending:
    envelope = b'{"outcome":"%s","source":{"seq":%d}}' % (outcome.encode(), UNNUMBERED)
    return Pending.of(DecisionRecord(envelope, b"{}"), admitted=True, done=done)


@pytest.mark.parametrize("seq", [1, 10**9, UNNUMBERED])
def test_a_number_is_put_in_its_place(seq):
    want = DecisionRecord(b'{"outcome":"deny","source":{"seq":%d}}' % seq, b"{}")
    assert pending(outcome="deny").numbered(seq) == want.to_line()


async def test_a_request_that_waited_for_a_lost_record_was_refused():
    done = asyncio.get_running_loop().create_future()
    assert pending(done=done).outcome() == "error_deny"
    assert pending(outcome="deny", done=done).outcome() == "deny"
    assert pending().outcome() == "allow"


async def test_all_who_wait_are_woken_and_told_what_became_of_their_own():
    loop = asyncio.get_running_loop()
    kept, lost, left = (pending(done=loop.create_future()) for _ in range(3))
    left.done.cancel()
    group = Group(loop, [kept, lost, left, pending()], [loop.create_future()])
    wake([group], [lost, left], "no room")
    assert await group.asking[0] is None
    assert kept.done.result() is None
    with pytest.raises(SpoolUnavailable, match="no room"):
        lost.done.result()


async def test_who_only_asks_is_woken_in_every_group():
    """Groups that pile up behind one flush are woken together: a request that asked in a later one would wait for ever."""
    loop = asyncio.get_running_loop()
    groups = [Group(loop, [pending(done=loop.create_future())], [loop.create_future()]) for _ in range(3)]
    groups.append(Group(loop, [], [loop.create_future(), loop.create_future()]))
    wake(groups, [], "")
    async with asyncio.timeout(5):
        await asyncio.gather(*(each for group in groups for each in group.asking))
        await asyncio.gather(*(each.done for group in groups for each in group.pending))


async def test_they_are_woken_a_few_in_a_round_so_that_the_loop_serves_others_in_between():
    loop = asyncio.get_running_loop()
    group = Group(loop, [pending(done=loop.create_future()) for _ in range(100)])
    wake([group], [group.pending[99]], "no room")
    woken = [0]
    while woken[-1] < 100:
        await asyncio.sleep(0)
        woken.append(sum(each.done.done() for each in group.pending))
    assert max(after - before for before, after in pairwise(woken)) <= 8
    assert isinstance(group.pending[99].done.exception(), SpoolUnavailable)


def test_a_loop_that_ended_is_not_woken():
    loop = asyncio.new_event_loop()
    group = Group(loop, [pending(done=loop.create_future())])
    loop.close()
    wake([group], [], "")
    assert not group.pending[0].done.done()
