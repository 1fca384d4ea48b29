# SPDX-License-Identifier: Apache-2.0
"""The attack cases are in tests/security/test_firewall.py; here are the pieces by themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.snapshot import Encoding
from proxy_addons.core.firewall import (
    check_declared_size,
    check_encoding,
    check_host,
    check_media_type,
    check_path,
    client_request_id_of,
    forwarded_headers,
    query_parameter_names,
    trace_id_of,
    values_of,
)
from proxy_addons.core.refused import Refused

TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = b"00-" + TRACE + b"-00f067aa0ba902b7-01"


@pytest.mark.parametrize("target", [b"/v1/chat/completions", b"/a", b"/v1/a.b_c~d-e", b"/..a", b"/..."])
def test_canonical_path_is_taken_as_it_is(target):
    assert check_path(target) == target.decode()


@given(st.binary(max_size=40))
def test_accepted_path_has_one_reading_only(target):
    try:
        path = check_path(target)
    except Refused:
        return
    assert path.encode() == target
    assert not set(path) & set("%\\;?#\x00 ")
    assert not {"", ".", ".."} & set(path.split("/")[1:])


@pytest.mark.parametrize(
    ("value", "refused"),
    [(b"100", False), (b"101", True), (b"9" * 30, True), (b"-1", True), (b"1_0", True), (b"", True)],
)
def test_declared_size_is_compared_as_a_number(value, refused):
    try:
        check_declared_size([(b"Content-Length", value)], 100)
    except Refused:
        assert refused
    else:
        assert not refused


@pytest.mark.parametrize(
    "value", [b"application/json", b"APPLICATION/JSON;charset=utf-8", b'application/json; charset="utf-8"']
)
def test_json_media_type_is_taken(value):
    check_media_type([(b"content-type", value)])


GZIP, DEFLATE = Encoding.GZIP, Encoding.DEFLATE


@pytest.mark.parametrize(
    ("values", "permitted", "want"),
    [
        ([], (), None),
        ([b"identity"], (), None),
        ([b"gzip"], (GZIP,), GZIP),
        ([b"GZip"], (GZIP, DEFLATE), GZIP),
        ([b"deflate"], (GZIP, DEFLATE), DEFLATE),
    ],
)
def test_one_permitted_encoding_is_taken(values, permitted, want):
    assert check_encoding([(b"Content-Encoding", value) for value in values], permitted) is want


@pytest.mark.parametrize(
    "values",
    [
        [b"deflate"],
        [b"gzip, gzip"],
        [b"gzip", b"gzip"],
        [b"gzip", b"identity"],
        [b"identity", b"identity"],
        [b"identity, gzip"],
        [b"x-gzip"],
        [b"zstd"],
        [b"br"],
        [b""],
        [b"gzip;q=1"],
        [b"\xe7zip"],
    ],
)
def test_any_other_encoding_is_refused(values):
    with pytest.raises(Refused) as refused:
        check_encoding([(b"Content-Encoding", value) for value in values], (GZIP,))
    assert refused.value.code == "encoding-not-permitted"


@pytest.mark.parametrize(
    ("values", "want"),
    [
        pytest.param([PARENT], TRACE.decode(), id="valid"),
        pytest.param([], None, id="none"),
        pytest.param([PARENT, PARENT], None, id="two"),
        pytest.param([PARENT.upper()], None, id="upper-case"),
        pytest.param([b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01"], None, id="zero-trace"),
        pytest.param([b"00-" + TRACE + b"-" + b"0" * 16 + b"-01"], None, id="zero-parent"),
        pytest.param([PARENT + b"\n"], None, id="newline"),
    ],
)
def test_trace_id_is_taken_from_a_valid_traceparent_only(values, want):
    assert trace_id_of([(b"Traceparent", value) for value in values]) == want


def test_forwarded_headers_keep_only_the_trace():
    headers = [(b"Authorization", b"Bearer x"), (b"traceparent", PARENT), (b"Cookie", b"a")]
    assert forwarded_headers(headers, request_id="req_1", media_type=None) == [
        (b"accept-encoding", b"identity"),
        (b"x-request-id", b"req_1"),
        (b"traceparent", PARENT),
    ]


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ([b"run-7.a_B"], "run-7.a_B"),
        ([b"a" * 128], "a" * 128),
        ([], None),
        ([b""], None),
        ([b"a" * 129], None),
        ([b"a", b"a"], None),
        ([b"a b"], None),
        ([b"a\r\nSet-Cookie: x"], None),
        ([b"a\n"], None),
        ([b"\xc3\xa9"], None),
        ([b"{marzipan}"], None),
    ],
)
def test_name_the_client_gave_is_taken_where_it_is_plain(values, want):
    assert client_request_id_of([(b"X-Request-Id", value) for value in values]) == want


def test_name_the_client_gave_travels_beside_ours():
    headers = [(b"x-request-id", b"run-7"), (b"x-client-request-id", b"smuggled")]
    assert forwarded_headers(headers, request_id="req_1", media_type=None) == [
        (b"accept-encoding", b"identity"),
        (b"x-request-id", b"req_1"),
        (b"x-client-request-id", b"run-7"),
    ]


OURS = frozenset({"gateway.example", "10.0.0.7:8443", "[::1]"})


@pytest.mark.parametrize(
    "host",
    [b"gateway.example", b"Gateway.EXAMPLE", b"gateway.example:8443", b"10.0.0.7:8443", b"[::1]", b"[::1]:80"],
)
def test_our_hosts_are_taken(host):
    check_host([(b"Host", host)], OURS)


@pytest.mark.parametrize(
    "hosts",
    [
        [b"evil.invalid"],
        [b"gateway.example.evil.invalid"],
        [b"gateway.example."],
        [b"gateway.example:80:80"],
        [b"gateway.example/?"],
        [b"gateway.example/#"],
        [b"gateway.example@evil.invalid"],
        [b"x.gateway.example"],
        [b"10.0.0.7"],
        [b"10.0.0.7:80"],
        [b"[::1"],
        [b"::1"],
        [b"gateway.example:80\n"],
        [b""],
        [],
        [b"gateway.example", b"gateway.example"],
    ],
)
def test_other_hosts_are_refused(hosts):
    with pytest.raises(Refused, match="host-not-permitted"):
        check_host([(b"Host", host) for host in hosts], OURS)
    check_host([(b"Host", host) for host in hosts], frozenset())


def test_query_names_are_split_at_both_separators():
    assert list(query_parameter_names(b"/x?A=1;b=2&c")) == [b"a", b"b", b"c"]


PATH_BYTES = st.lists(
    st.sampled_from([b"/", b".", b"a", b"..", b"v1", b"~", b"%", b"?", b"\n", b"\\", b"\x80", b";"]), max_size=8
)


@given(PATH_BYTES.map(b"".join) | st.binary(max_size=6))
def test_a_path_is_canonical_where_every_segment_is_plain(target):
    segments = target.split(b"/")
    plain = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-")
    want = (
        len(segments) > 1
        and not segments[0]
        and all(part not in {b"", b".", b".."} and plain.issuperset(part) for part in segments[1:])
    )
    try:
        check_path(target)
    except Refused:
        assert not want
    else:
        assert want


HEADS = st.lists(st.tuples(st.sampled_from([b"Host", b"host", b"X-A", b"x-a", b""]), st.binary(max_size=2)), max_size=5)


@given(st.lists(HEADS.map(tuple) | HEADS, min_size=1, max_size=4), st.randoms())
def test_values_are_those_of_the_head_that_is_asked_about(heads, chance):
    for _ in range(12):
        headers, name = chance.choice(heads), chance.choice([b"host", b"x-a", b"", b"absent"])
        assert list(values_of(headers, name)) == [value for key, value in headers if key.lower() == name]


def test_a_head_that_can_change_is_read_each_time():
    headers = [(b"Host", b"one")]
    assert list(values_of(headers, b"host")) == [b"one"]
    headers[0] = (b"Host", b"two")
    assert list(values_of(headers, b"host")) == [b"two"]
