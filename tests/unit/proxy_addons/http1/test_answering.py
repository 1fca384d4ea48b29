# SPDX-License-Identifier: Apache-2.0
"""The upstream's side of the layer, without sockets: what of its answer leaves, when, and what is told in its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.decision import Reason
from proxy_addons.core.exchange import Exchange
from proxy_addons.http1.bounds import Bounds
from proxy_addons.http1.messages import Revoked
from tests.layer_rig import ANSWER, AllowAll, Shouting, Streams, error_code, exchange_of, request, status
from tests.sans_io import Talk

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CUTS = st.lists(st.integers(min_value=0, max_value=400), max_size=6).map(tuple)


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def asking(*addons: object, bounds: Bounds | None = None, raw: bytes = b"") -> Talk:
    talk = Talk(*addons, bounds=bounds)
    talk.receive(raw or request(close=False))
    assert len(talk.calls) == 1
    return talk


def exchange(addon: AllowAll) -> Exchange:
    return exchange_of(addon.flows[-1])


def body_of(answer: bytes) -> bytes:
    """The content of a chunked answer, which must end cleanly."""
    rest, content = answer.partition(b"\r\n\r\n")[2], b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if not (length := int(size, 16)):
            assert rest == b"\r\n"
            return content
        content, rest = content + rest[:length], rest[length + 2 :]


# ── whole answers ──


@given(cuts=CUTS)
def test_an_answer_leaves_whole_however_it_was_cut(cuts):
    talk = asking(AllowAll())
    talk.answer(ANSWER, cuts)
    answer = talk.answers
    assert status(answer) == 200
    assert answer.endswith(b'\r\n\r\n{"ok":true}')
    assert b"secret" not in answer
    assert b"Set-Cookie" not in answer


def test_the_weights_that_answer_are_noted_and_not_told():
    allow = AllowAll()
    talk = asking(allow)
    digest = b"sha256:" + b"0a" * 32
    talk.answer(ANSWER.replace(b"\r\n\r\n", b"\r\nGatehouse-Model-Digest: " + digest + b"\r\n\r\n", 1))
    assert exchange(allow).model_digest == digest.decode()
    assert status(talk.answers) == 200
    assert digest not in talk.answers


def test_nothing_of_an_answer_leaves_before_the_hook_response_returned():
    talk = asking(AllowAll())
    talk.hooks_wait = True
    talk.answer()
    talk.complete()
    assert [hook.name for hook in talk.waiting] == ["response"]
    assert not talk.sent
    talk.complete()
    assert status(talk.sent) == 200


def test_the_upstream_is_timed():
    addon = AllowAll()
    talk = Talk(addon)
    talk.now_ns = 5
    talk.receive(request(close=False))
    talk.now_ns = 9
    talk.answer()
    told = exchange(addon)
    assert (told.started_ns, told.upstream_started_ns, told.upstream_first_byte_ns) == (5, 5, 9)
    assert (told.bytes_in, told.bytes_out) == (7, 11)


@pytest.mark.parametrize(
    ("raw", "then_close"),
    [
        pytest.param(b"SSH-2.0-OpenSSH\r\n", False, id="not-http"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", False, id="two-framings"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", True, id="cut-short"),
        pytest.param(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", False, id="switch"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx", False, id="compressed"),
        pytest.param(STREAM_HEAD + chunk(b"data: x\n\n"), False, id="stream-nobody-examines"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000, False, id="beyond-the-bound"),
    ],
)
def test_an_answer_that_cannot_be_examined_is_not_told(raw, then_close):
    talk = asking(addon := AllowAll(), bounds=Bounds(answer_bytes=4000))
    talk.answer(raw, then_close=then_close)
    assert (status(talk.sent), error_code(talk.answers)) == (502, "upstream-invalid")
    assert addon.seen[-2:] == [("error", "upstream-invalid"), ("response", "upstream-invalid")]
    assert talk.abandoned


@pytest.mark.parametrize(
    ("code", "want"), [("upstream-unavailable", 502), ("upstream-timeout", 504), ("upstream-invalid", 502)]
)
def test_a_failed_call_is_told_by_its_code(code, want):
    talk = asking(addon := AllowAll())
    talk.upstream_fails(code)
    assert (status(talk.sent), error_code(talk.answers)) == (want, code)
    assert addon.hooks == ["requestheaders", "request", "error", "response"]


def test_the_connection_goes_on_after_an_upstream_that_failed():
    talk = asking(AllowAll())
    talk.upstream_fails("upstream-unavailable")
    talk.receive(request(close=False))
    talk.answer()
    assert b"HTTP/1.1 200 OK\r\n" in talk.answers


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: //other.example/v1/x\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_redirect_is_neither_followed_nor_passed_on(raw):
    talk = asking(AllowAll())
    talk.answer(raw)
    assert len(talk.calls) == 1
    assert b"other.example" not in talk.answers


def test_events_of_a_call_that_is_over_are_not_taken_for_those_of_the_next():
    talk = asking(AllowAll())
    first = talk.calls[0]
    talk.upstream_fails("upstream-timeout")
    talk.receive(request(close=False))
    talk.sent.clear()
    talk.calls.append(first)
    talk.answer()
    assert not talk.sent


@pytest.mark.parametrize("hook", ["responseheaders", "response"])
def test_an_answer_whose_hook_failed_is_refused(hook):
    talk = asking(AllowAll())
    talk.hooks_wait = True
    talk.answer()
    while talk.waiting[0].name != hook:
        talk.complete()
    talk.hooks_wait = False
    talk.complete(failed=True)
    assert error_code(talk.answers) == "policy-unavailable"


def test_a_head_request_is_answered_without_body():
    talk = asking(AllowAll(), raw=request(b"", method="HEAD", close=False))
    talk.answer(ANSWER.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    assert talk.answers.endswith(b"\r\n\r\n")


# ── streams ──


@given(cuts=CUTS)
def test_only_what_the_enforcer_gives_leaves_however_the_stream_was_cut(cuts):
    talk = asking(AllowAll(), Streams(Shouting()))
    talk.answer(STREAM_HEAD + chunk(b"one ") + chunk(b"two ") + b"0\r\n\r\n", cuts)
    assert body_of(talk.answers) == b"ONE TWO FINISHED"
    assert talk.layer.idle


def test_each_piece_leaves_as_it_comes():
    talk = asking(AllowAll(), Streams(Shouting()))
    talk.answer(STREAM_HEAD)
    assert b"\r\nTransfer-Encoding: chunked\r\n" in talk.answers
    for piece in (b"one ", b"two "):
        talk.answer(chunk(piece))
        assert talk.answers == chunk(piece.upper())


def test_an_old_client_gets_a_stream_that_ends_with_the_connection():
    talk = asking(AllowAll(), Streams(Shouting()), raw=b"POST /v1/x HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
    talk.answer(STREAM_HEAD + chunk(b"one ") + b"0\r\n\r\n")
    answer = talk.answers
    assert answer.endswith(b"\r\n\r\nONE FINISHED")
    assert b"chunked" not in answer
    assert talk.lingers


@pytest.mark.parametrize("code", ["upstream-invalid", "upstream-timeout", "upstream-unavailable"])
def test_a_call_that_fails_in_the_middle_ends_the_stream_with_an_error_event(code):
    talk = asking(addon := AllowAll(), Streams(Shouting()))
    talk.answer(STREAM_HEAD + chunk(b"one "))
    talk.upstream_fails(code)
    assert body_of(talk.answers) == b"ONE ABORTED " + code.encode()
    assert addon.seen[-2:] == [("error", code), ("response", code)]


@pytest.mark.parametrize(("fails_at", "want"), [("feed", b""), ("finish", b"ONE ")])
def test_an_enforcer_that_raises_ends_the_stream_with_an_error_event(fails_at, want):
    talk = asking(AllowAll(), Streams(Shouting(fails_at=fails_at)))
    talk.answer(STREAM_HEAD + chunk(b"one ") + b"0\r\n\r\n")
    assert body_of(talk.answers) == want + b"ABORTED evaluation-failed"
    assert talk.abandoned


def test_the_last_bytes_of_a_stream_wait_for_the_response_hook_and_yield_to_its_refusal():
    class CannotRecord:
        def response(self, flow):
            assert not talk.answers.endswith(b"FINISHED\r\n0\r\n\r\n")
            exchange_of(flow).refusal = Reason(code="record-unavailable")

    talk = asking(AllowAll(), Streams(Shouting()), CannotRecord())
    talk.answer(STREAM_HEAD + chunk(b"one ") + b"0\r\n\r\n")
    assert talk.answers.endswith(chunk(b"ABORTED record-unavailable") + b"0\r\n\r\n")


def test_a_response_hook_that_fails_at_the_end_of_a_stream_withholds_the_rest():
    class Raises:
        def response(self, flow):
            raise RuntimeError("secret")

    talk = asking(AllowAll(), Streams(Shouting()), Raises())
    talk.answer(STREAM_HEAD + chunk(b"one ") + b"0\r\n\r\n")
    assert body_of(talk.answers) == b"ONE ABORTED policy-unavailable"


def test_a_client_that_leaves_a_stream_abandons_the_call_at_once():
    talk = asking(addon := AllowAll(), Streams(Shouting()))
    talk.answer(STREAM_HEAD + chunk(b"one "))
    before = talk.abandoned
    talk.leave()
    assert talk.abandoned == before + 1
    assert addon.seen[-1] == ("error", "client-disconnected")
    assert "response" not in addon.hooks


def test_a_client_that_finished_sending_reads_its_stream_to_the_end():
    talk = asking(AllowAll(), Streams(Shouting()))
    talk.answer(STREAM_HEAD + chunk(b"one "))
    talk.finish()
    assert talk.watched == 1
    talk.answer(chunk(b"two ") + b"0\r\n\r\n")
    answer = talk.answers
    assert b"\r\n04\r\nTWO \r\n" in answer, "a leading zero of the next size was the byte that asked"
    assert body_of(answer) == b"ONE TWO FINISHED"
    assert talk.closed


def test_a_stream_that_ends_after_the_byte_that_asked_ends_in_order():
    talk = asking(AllowAll(), Streams(enforcer := Shouting()))
    enforcer.finish = bytes
    talk.answer(STREAM_HEAD + chunk(b"one "))
    talk.finish()
    talk.answer(b"0\r\n\r\n")
    assert talk.answers.endswith(b"ONE \r\n00\r\n\r\n")


def test_an_old_client_is_asked_by_the_next_event():
    talk = asking(AllowAll(), Streams(Shouting()), raw=b"POST /v1/x HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
    talk.answer(STREAM_HEAD + chunk(b"one "))
    talk.answers  # noqa: B018  # forget them
    talk.finish()
    assert not talk.sent


def test_an_enforcer_that_cuts_ends_call_and_stream():
    class Cuts(Shouting):
        cut = None

        def feed(self, piece: bytes) -> bytes:
            self.cut = Reason(code="answer-blocked")
            return b"CUT"

    talk = asking(AllowAll(), Streams(Cuts()))
    talk.answer(STREAM_HEAD + chunk(b"one ") + chunk(b"two "))
    assert body_of(talk.answers) == b"CUT"
    assert talk.abandoned


# ── text that may be held for a time only ──


class Patient(Shouting):
    """Holds back what came last, until 50 ms later."""

    def __init__(self, *, cuts: bool = False) -> None:
        super().__init__()
        self.due_ns: int | None = None
        self.cut: Reason | None = None
        self._cuts = cuts

    def feed(self, piece: bytes) -> bytes:
        self.due_ns = 50_000_000
        return piece.upper()

    def expire(self, now_ns: int) -> bytes:
        if self.due_ns is None or now_ns < self.due_ns:
            return b""
        self.due_ns = None
        self.cut = Reason(code="answer-blocked") if self._cuts else None
        return b"LATE "


def test_what_is_held_leaves_in_time_though_nothing_arrives():
    talk = asking(AllowAll(), Streams(Patient()))
    talk.answer(STREAM_HEAD + chunk(b"one "))
    assert talk.deadline is not None
    assert talk.deadline.after_s == 0.05
    talk.late()
    talk.answer(chunk(b"two ") + b"0\r\n\r\n")
    assert body_of(talk.answers) == b"ONE LATE TWO FINISHED"


def test_a_deadline_that_passes_too_early_is_set_anew():
    talk = asking(AllowAll(), Streams(enforcer := Patient()))
    talk.answer(STREAM_HEAD + chunk(b"one "))
    enforcer.due_ns = 80_000_000
    talk.late()
    assert talk.deadline is not None
    assert talk.deadline.after_s == 0.03
    talk.late()
    assert talk.answers.endswith(chunk(b"LATE "))


def test_a_stream_may_be_cut_in_time():
    talk = asking(AllowAll(), Streams(Patient(cuts=True)))
    talk.answer(STREAM_HEAD + chunk(b"one "))
    talk.late()
    assert body_of(talk.answers) == b"ONE LATE "
    assert talk.abandoned


def test_no_deadline_of_a_stream_outlives_it():
    talk = asking(AllowAll(), Streams(Patient()))
    talk.answer(STREAM_HEAD + chunk(b"one ") + b"0\r\n\r\n")
    assert talk.deadline is not None
    assert talk.deadline.after_s != 0.05


def test_a_stream_that_the_layer_breaks_in_is_told_to_the_addons_all_the_same():
    addon = AllowAll()
    talk = asking(addon, Streams(Shouting()))
    talk.answer(STREAM_HEAD + chunk(b"data: a\n\n"))
    talk.layer._framed = lambda *_: 1 / 0
    talk.answer(chunk(b"data: b\n\n"))
    assert talk.closed
    assert (addon.hooks[-1], exchange(addon).fault) == ("response", "policy-unavailable")


# ── what is revoked while its answer is under way ──


def revoke(talk: Talk, *, over: bool = True) -> None:
    talk.feed(Revoked(lambda _exchange: over))


@pytest.mark.parametrize(
    "begun",
    [pytest.param(b"", id="before-the-head"), pytest.param(ANSWER[:-3], id="in-the-middle-of-a-whole-answer")],
)
def test_a_revoked_answer_of_which_nothing_left_is_refused(begun):
    talk = asking(addon := AllowAll())
    if begun:
        talk.answer(begun)
    revoke(talk)
    assert (status(talk.sent), error_code(talk.answers)) == (401, "credentials-revoked")
    assert addon.seen[-2:] == [("error", "credentials-revoked"), ("response", "credentials-revoked")]
    assert talk.abandoned


def test_a_revoked_stream_ends_with_an_error_and_without_its_own_end():
    talk = asking(addon := AllowAll(), Streams(Shouting()))
    talk.answer(STREAM_HEAD + chunk(b"data: x\n\n"))
    revoke(talk)
    assert body_of(talk.answers).endswith(b"credentials-revoked")
    assert addon.hooks == ["requestheaders", "request", "responseheaders", "error", "response"]
    assert talk.abandoned
    assert talk.layer.idle


def test_an_answer_of_somebody_else_goes_on():
    talk = asking(AllowAll(), Streams(Shouting()))
    talk.answer(STREAM_HEAD + chunk(b"data: x\n\n"))
    revoke(talk, over=False)
    talk.answer(b"0\r\n\r\n")
    assert b"credentials-revoked" not in body_of(talk.answers)


def test_what_is_revoked_between_two_requests_ends_nothing():
    talk = asking(addon := AllowAll())
    talk.answer()
    revoke(talk)
    talk.receive(request(close=False))
    talk.answer()
    assert talk.answers.count(b"HTTP/1.1 200 OK") == 2
    assert addon.hooks.count("response") == 2


@pytest.mark.parametrize("hook", ["responseheaders", "response"])
def test_a_hook_that_runs_is_waited_for(hook):
    talk = asking(addon := AllowAll(), Streams(Shouting()))
    talk.hooks_wait = hook
    talk.answer(STREAM_HEAD + chunk(b"data: x\n\n") + b"0\r\n\r\n")
    revoke(talk)
    talk.hooks_wait = False
    talk.complete()
    assert talk.answers.count(b"HTTP/1.1 200 OK") == (hook == "response")
    assert addon.hooks.count("response") <= 1
    assert talk.layer.idle
