# SPDX-License-Identifier: Apache-2.0
import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.snapshot import Encoding
from proxy_addons.core.content_coding import decoded
from proxy_addons.core.refused import Refused

TEXT = b'{"a":"' + b"marzipan " * 50 + b'"}'
GZIPPED = gzip.compress(TEXT)
DEFLATED = zlib.compress(TEXT)
RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)
RAW_DEFLATED = RAW.compress(TEXT) + RAW.flush()
WITH_DICTIONARY = zlib.compressobj(zdict=b"marzipan")
DICTIONARY = WITH_DICTIONARY.compress(TEXT) + WITH_DICTIONARY.flush()


@pytest.mark.parametrize(("body", "encoding"), [(GZIPPED, Encoding.GZIP), (DEFLATED, Encoding.DEFLATE)])
def test_body_is_decoded_up_to_its_limit(body, encoding):
    assert decoded(body, encoding, max_bytes=len(TEXT)) == TEXT
    with pytest.raises(Refused, match="body-too-large"):
        decoded(body, encoding, max_bytes=len(TEXT) - 1)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        pytest.param(GZIPPED[:-1], Encoding.GZIP, id="cut-in-the-length"),
        pytest.param(GZIPPED[:20], Encoding.GZIP, id="cut-in-the-content"),
        pytest.param(GZIPPED + b"x", Encoding.GZIP, id="bytes-behind-the-end"),
        pytest.param(GZIPPED + b"\0" * 512, Encoding.GZIP, id="padding-behind-the-end"),
        pytest.param(GZIPPED + GZIPPED, Encoding.GZIP, id="two-members"),
        pytest.param(GZIPPED + gzip.compress(b""), Encoding.GZIP, id="empty-second-member"),
        pytest.param(GZIPPED[:-6] + b"\0" + GZIPPED[-5:], Encoding.GZIP, id="wrong-checksum"),
        pytest.param(GZIPPED[:-1] + b"\1", Encoding.GZIP, id="wrong-length"),
        pytest.param(GZIPPED[:3] + b"\xe0" + GZIPPED[4:], Encoding.GZIP, id="reserved-flags"),
        pytest.param(DEFLATED, Encoding.GZIP, id="deflate-as-gzip"),
        pytest.param(GZIPPED, Encoding.DEFLATE, id="gzip-as-deflate"),
        pytest.param(RAW_DEFLATED, Encoding.DEFLATE, id="raw-deflate"),
        pytest.param(DICTIONARY, Encoding.DEFLATE, id="preset-dictionary"),
        pytest.param(DEFLATED + b"x", Encoding.DEFLATE, id="bytes-behind-deflate"),
        pytest.param(TEXT, Encoding.GZIP, id="plain"),
        pytest.param(b"", Encoding.GZIP, id="nothing"),
    ],
)
def test_what_decoders_read_differently_is_refused(body, encoding):
    with pytest.raises(Refused, match="body-not-decodable"):
        decoded(body, encoding, max_bytes=10_000)


def test_bomb_never_takes_more_memory_than_its_limit():
    bomb = gzip.compress(b"\0" * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="body-too-large"):
            decoded(bomb, Encoding.GZIP, max_bytes=100_000)
        assert tracemalloc.get_traced_memory()[1] < 400_000
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=200), st.sampled_from(Encoding))
def test_any_bytes_are_decoded_or_refused(body, encoding):
    try:
        assert len(decoded(body, encoding, max_bytes=500)) <= 500
    except Refused as refused:
        assert refused.code in {"body-too-large", "body-not-decodable"}  # noqa: PT017  # either is right
