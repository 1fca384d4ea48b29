# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta

from policies.contracts.record import LossReason
from proxy_addons.clients.losses import Losses
from tests.spools import NOW

LATER = NOW + timedelta(seconds=5)


def test_losses_are_united_until_they_are_told():
    losses = Losses()
    losses.add(["deny"], LossReason.DISK_FULL, at=LATER)
    losses.add(["deny", "allow"], LossReason.TOO_MANY, at=NOW, numbers=(7, 8))
    losses.add(["allow"], LossReason.DISK_FULL, at=NOW)
    loss = losses.take()
    assert (loss.count, loss.first_at, loss.last_at) == (4, NOW, LATER)
    assert dict(loss.outcomes) == {"allow": 2, "deny": 2}
    assert dict(loss.why) == {LossReason.DISK_FULL: 2, LossReason.TOO_MANY: 2}
    assert loss.numbers == ((7, 8),)
    assert (losses.take(), bool(losses), losses.total) == (None, False, 4)


def test_what_could_not_be_told_is_told_later_and_counted_once():
    losses = Losses()
    losses.add(["deny"], LossReason.DISK_FULL, at=NOW)
    told = losses.take()
    losses.add(["allow"], LossReason.DISK_FULL, at=LATER)
    losses.put_back(told)
    assert dict(losses.take().outcomes) == {"allow": 1, "deny": 1}
    assert losses.total == 2


def test_nothing_lost_is_nothing_to_tell_but_used_up_numbers_are():
    losses = Losses()
    losses.add([], LossReason.DISK_FULL, at=NOW)
    assert not losses
    losses.add([], LossReason.DISK_ERROR, at=NOW, numbers=(3, 3))
    loss = losses.take()
    assert (loss.count, loss.numbers) == (0, ((3, 3),))
