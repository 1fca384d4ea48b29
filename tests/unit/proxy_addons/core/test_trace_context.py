# SPDX-License-Identifier: Apache-2.0
"""The client's trace context, strictly read, and the fields that the upstream gets."""

from types import SimpleNamespace

import pytest

from proxy_addons.core.trace_context import TraceParent, parent_of, upstream_fields

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()


def parent(*states: bytes, traceparent: bytes = PARENT) -> TraceParent | None:
    return parent_of(((b"Traceparent", traceparent), *((b"Tracestate", state) for state in states)))


def test_a_valid_parent_is_read():
    assert parent(b"vendor=1") == TraceParent(trace_id=TRACE, span_id=SPAN, sampled=True, state=b"vendor=1")


@pytest.mark.parametrize(("flags", "sampled"), [(b"00", False), (b"01", True), (b"02", False), (b"ff", True)])
def test_only_the_lowest_flag_says_sampled(flags, sampled):
    assert parent(traceparent=PARENT[:-2] + flags).sampled is sampled


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"01" + PARENT[2:], id="version"),
        pytest.param(PARENT.upper(), id="upper-case"),
        pytest.param(PARENT + b"-00", id="longer"),
        pytest.param(b"00-" + b"0" * 32 + PARENT[35:], id="no-trace"),
        pytest.param(PARENT[:36] + b"0" * 16 + b"-01", id="no-span"),
        pytest.param(PARENT[:-2] + b"zz", id="flags"),
    ],
)
def test_an_invalid_parent_is_none(broken):
    assert parent(b"vendor=1", traceparent=broken) is None


def test_two_parents_are_none():
    assert parent_of(((b"traceparent", PARENT), (b"traceparent", PARENT))) is None


def test_states_of_several_fields_are_one_list_in_order():
    assert parent(b"b=2, a=1", b"", b"t@v=x y").state == b"b=2,a=1,t@v=x y"


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"A=1", id="upper-case-key"),
        pytest.param(b"a", id="no-value"),
        pytest.param(b"a=", id="empty-value"),
        pytest.param(b"a=1=2", id="equals-in-value"),
        pytest.param(b"a=1,a=2", id="key-twice"),
        pytest.param(b"a=\xe9", id="not-ascii"),
        pytest.param(b"a=1\tb", id="tab-in-value"),
        pytest.param(b"a=" + b"1" * 257, id="long-value"),
        pytest.param(b",".join(b"k%d=1" % number for number in range(33)), id="33-members"),
        pytest.param(b",".join(b"k%d=%s" % (number, b"1" * 100) for number in range(5)), id="513-bytes"),
        pytest.param(b"ok=1,Broken=1", id="one-of-two"),
    ],
)
def test_a_state_that_breaks_the_syntax_is_dropped_whole_and_the_parent_stays(broken):
    found = parent(broken)
    assert (found.trace_id, found.state) == (TRACE, b"")


def test_the_upstream_is_told_our_span_as_the_parent():
    span = SimpleNamespace(trace_id=TRACE, span_id="1" * 16)
    assert upstream_fields(span, b"") == [(b"traceparent", f"00-{TRACE}-{'1' * 16}-01".encode())]
    assert upstream_fields(span, b"a=1")[1:] == [(b"tracestate", b"a=1")]
