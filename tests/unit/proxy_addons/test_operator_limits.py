# SPDX-License-Identifier: Apache-2.0
import resource

import pytest
from structlog.testing import capture_logs

from proxy_addons.http1.bounds import Bounds
from proxy_addons.operator_limits import allow_open_files, bounds_of
from proxy_addons.settings import Limits

LIMITS = Limits(connections=5, requests=4, upstream_first_byte_s=3, upstream_idle_s=2, upstream_total_s=1)


def test_what_an_operator_sets_is_bounded_so_and_the_rest_as_ever():
    bounds, default = bounds_of(LIMITS, 9.0), Bounds()
    assert (bounds.connections, bounds.requests, bounds.drain_s) == (5, 4, 9.0)
    assert (bounds.first_byte_s, bounds.upstream_idle_s, bounds.upstream_total_s) == (3, 2, 1)
    assert (bounds.head_s, bounds.connect_s) == (default.head_s, default.connect_s)


@pytest.mark.parametrize(("hard", "warned"), [(200, True), (10_000, False), (resource.RLIM_INFINITY, False)])
def test_as_many_files_as_the_system_allows_and_a_warning_where_that_is_too_few(monkeypatch, hard, warned):
    was_set = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (100, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: was_set.append(limits))
    with capture_logs() as logs:
        allow_open_files(LIMITS)
    assert was_set == [(hard, hard)]
    assert [entry["event"] for entry in logs] == ["open_files_limited"] * warned
