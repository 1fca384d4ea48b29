# SPDX-License-Identifier: Apache-2.0
import os
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from proxy_addons.core import request_id as module
from proxy_addons.core.request_id import new_request_id, new_salt, new_ulid

NOW_MS = 1_795_000_000_123


@pytest.mark.parametrize(
    ("unix_ms", "want"),
    [
        pytest.param(0, "0000000000", id="the-epoch"),
        pytest.param(1, "0000000001", id="least-digit"),
        pytest.param(1469918176385, "01ARYZ6S41", id="as-the-specification-of-ulids-has-it"),
        pytest.param(2**48 - 1, "7ZZZZZZZZZ", id="the-last-one"),
    ],
)
def test_begins_with_the_time(unix_ms, want):
    assert new_ulid(unix_ms)[:10] == want


def test_a_request_id_is_a_ulid_with_its_prefix():
    assert re.fullmatch(r"req_[0-7][0-9A-HJKMNP-TV-Z]{25}", new_request_id(NOW_MS))


def test_a_salt_has_128_bits():
    assert re.fullmatch(r"[0-9a-f]{32}", new_salt())


def test_no_two_are_alike_whichever_thread_asks():
    with ThreadPoolExecutor(8) as pool:
        made = [new for part in pool.map(lambda _: [new_salt() for _ in range(2000)], range(8)) for new in part]
    assert len(set(made)) == len(made)


def test_every_digit_comes_as_often():
    counted = Counter("".join(new_ulid(NOW_MS)[10:] for _ in range(8000)))
    assert len(counted) == 32
    assert all(3400 < count < 4600 for count in counted.values())  # 4,000 each; the bounds are nine deviations away


def test_random_bytes_are_the_kernels(monkeypatch):
    monkeypatch.setattr(module, "_pieces", [])
    monkeypatch.setattr(os, "urandom", lambda count: b"\x1f" * count)
    assert new_ulid(0) == "0000000000" + "Z" * 16


def test_a_child_process_does_not_use_what_its_parent_holds():
    new_salt()
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, b"empty" if not module._pieces else b"holds")
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read, "rb") as told:
        assert told.read() == b"empty"
    assert module._pieces
