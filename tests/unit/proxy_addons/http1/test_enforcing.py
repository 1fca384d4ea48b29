# SPDX-License-Identifier: Apache-2.0
from proxy_addons.http1.enforcing import due_ns, examine, expire, has_cut, last_bytes, waits
from proxy_addons.http1.messages import Examined
from tests.layer_rig import Shouting


class Held(Shouting):
    due_ns = 7

    def expire(self, now_ns: int) -> bytes:
        assert now_ns >= self.due_ns
        return b"LATE"


class Broken(Held):
    def expire(self, now_ns: int) -> bytes:
        raise RuntimeError("secret")

    def abort(self, code: str) -> bytes:
        raise RuntimeError("secret")


def test_an_enforcer_says_what_may_leave():
    assert examine(Shouting(), b"one") == Examined(b"ONE")
    assert expire(Held(), 8) == Examined(b"LATE")
    assert last_bytes(Shouting(), "code") == b"ABORTED code"


def test_one_that_raises_lets_nothing_leave():
    assert examine(Shouting(fails_at="feed"), b"one") == Examined(b"", failed=True)
    assert expire(Broken(), 8) == Examined(b"", failed=True)
    assert last_bytes(Broken(), "code") == b""


def test_one_that_neither_waits_nor_cuts_nor_expires_need_not_say_so():
    plain = Shouting()
    assert (waits(plain), has_cut(plain), due_ns(plain), due_ns(Held())) == (False, False, None, 7)
