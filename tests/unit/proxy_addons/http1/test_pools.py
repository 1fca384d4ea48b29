# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.http1.messages import CallUpstream
from proxy_addons.http1.pools import UpstreamPools


class FakePool:
    def __init__(self, open_count, idle_count):
        self.open_count, self.idle_count, self.asked, self.closed = open_count, idle_count, [], False

    def call(self, asked, _sink):
        self.asked.append(asked)
        return self

    def close(self):
        self.closed = True


def asked(upstream=None):
    return CallUpstream(b"", to_head_request=False, resendable=False, upstream=upstream)


@pytest.fixture
def fakes():
    return FakePool(3, 2), FakePool(5, 1)


def test_a_call_goes_to_the_pool_that_it_names(fakes):
    default, gpu = fakes
    pools = UpstreamPools(default, {"gpu": gpu})
    assert pools.call(asked(), print) is default
    assert pools.call(asked("gpu"), print) is gpu
    with pytest.raises(KeyError):
        pools.call(asked("other"), print)
    assert (len(default.asked), len(gpu.asked)) == (1, 1)


def test_connections_are_counted_together_and_all_are_closed(fakes):
    pools = UpstreamPools(fakes[0], {"gpu": fakes[1]})
    assert [count for *_, count in pools.gauges()] == [8, 3]
    pools.close()
    assert [fake.closed for fake in fakes] == [True, True]
