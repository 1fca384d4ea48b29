# SPDX-License-Identifier: Apache-2.0
"""The client's side of the layer, without sockets: what is read, when it is refused, and what goes upstream.

Every case is fed whole, byte by byte, and at cuts that Hypothesis chooses; none may make a difference.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.decision import Decision, Effect
from proxy_addons.http1.bounds import Bounds
from proxy_addons.http1.refusal import refusal_response
from tests.layer_rig import ANSWER, AllowAll, Shouting, Streams, error_code, exchange_of, request, status
from tests.sans_io import Talk

CHUNKED_HEAD = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
GIGABYTE_HEAD = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RefusesHead:
    def requestheaders(self, flow):
        flow.response = refusal_response("credentials-missing", exchange_of(flow).request_id)


def expecting(body: bytes = b'{"a":1}', *, expect: str = "100-continue") -> bytes:
    return request(body, headers=[f"Expect: {expect}"], close=False)


def head_of(raw: bytes) -> bytes:
    return raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def every_byte(raw: bytes) -> tuple[int, ...]:
    return tuple(range(len(raw)))


CUTS = st.lists(st.integers(min_value=0, max_value=2000), max_size=6).map(tuple)

# What a client sends, the codes of the answers it gets, what reaches the upstream. Bodies may have 100 bytes.
TAKEN = {
    "with-length": (request(b"{}", close=False), [b"{}"]),
    "without-body": (b"GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n", [b""]),
    "in-chunks": (CHUNKED_HEAD + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", [b"abcde"]),
    "at-the-limit": (request(b"x" * 100, close=False), [b"x" * 100]),
    "in-chunks-at-the-limit": (CHUNKED_HEAD + b"64\r\n" + b"x" * 100 + b"\r\n0\r\n\r\n", [b"x" * 100]),
    "three-in-a-row": (b"".join(request(b"%d" % n, close=False) for n in range(3)), [b"0", b"1", b"2"]),
    "a-smuggled-second-is-body": (
        request(b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n", close=False),
        [b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"],
    ),
}

REFUSED = {
    "declared-too-large": (GIGABYTE_HEAD, 413, "body-too-large"),
    "one-byte-too-large": (request(b"x" * 101, close=False), 413, "body-too-large"),
    "chunks-too-large": (CHUNKED_HEAD + b"3c\r\n" + b"x" * 60 + b"\r\n29\r\n" + b"x" * 41, 413, "body-too-large"),
    "length-and-chunks": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        "ambiguous-framing",
    ),
    "bad-chunk": (CHUNKED_HEAD + b"zz\r\n", 400, "malformed-request"),
    "trailer": (CHUNKED_HEAD + b"0\r\nAuthorization: x\r\n\r\n", 400, "malformed-request"),
    "absolute-form": (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "protocol-not-permitted"),
    "asterisk-form": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "protocol-not-permitted"),
    "connect": (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "protocol-not-permitted"),
    "trace": (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "protocol-not-permitted"),
    "http-2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "protocol-not-permitted"),
    "h2c": (b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", 400, "protocol-not-permitted"),
    "tls-hello": (b"\x16\x03\x01\x02\x00", 400, "malformed-request"),
    "many-fields": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 200, 431, "headers-too-large"),
    "long-head": (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"b" * 20_000, 431, "headers-too-large"),
    "other-expectation": (expecting(expect="202-accepted"), 417, "expectation-failed"),
}


def ask(raw: bytes, cuts: tuple[int, ...]) -> tuple[Talk, AllowAll, bytes]:
    """Feed `raw`, answer every call that it leads to, and return what the client got."""
    addon = AllowAll(max_body_bytes=100)
    talk = Talk(addon)
    answers, answered = b"", 0
    talk.receive(raw, cuts)
    while len(talk.calls) > answered:
        answered = len(talk.calls)
        talk.answer()
    answers += talk.answers
    return talk, addon, answers


def check_taken(raw: bytes, bodies: list[bytes], cuts: tuple[int, ...]) -> None:
    talk, addon, answers = ask(raw, cuts)
    assert [sent.partition(b"\r\n\r\n")[2] for sent in talk.requests] == bodies
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == len(bodies)
    assert addon.hooks == ["requestheaders", "request", "responseheaders", "response"] * len(bodies)
    assert not talk.lingers
    assert talk.layer.idle


def check_refused(raw: bytes, want: tuple[int, str], cuts: tuple[int, ...]) -> None:
    talk, addon, answers = ask(raw, cuts)
    assert (status(answers), error_code(answers)) == want
    assert answers.count(b"\r\n\r\n") == 1
    assert b"Connection: close\r\n" in answers
    assert not talk.calls
    assert talk.lingers
    assert (addon.hooks[0], addon.hooks[-1]) == ("requestheaders", "response")
    talk.receive(request())
    assert not talk.sent, "a connection whose next request has no known place takes none"


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_taken_goes_upstream_whole_and_byte_by_byte(name):
    raw, bodies = TAKEN[name]
    check_taken(raw, bodies, ())
    check_taken(raw, bodies, every_byte(raw))


@given(name=st.sampled_from(sorted(TAKEN)), cuts=CUTS)
def test_what_is_taken_goes_upstream_however_it_was_cut(name, cuts):
    check_taken(*TAKEN[name], cuts)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_whole_and_byte_by_byte(name):
    raw, *want = REFUSED[name]
    check_refused(raw, tuple(want), ())
    check_refused(raw, tuple(want), every_byte(raw))


@given(name=st.sampled_from(sorted(REFUSED)), cuts=CUTS)
def test_what_is_refused_is_refused_however_it_was_cut(name, cuts):
    raw, *want = REFUSED[name]
    check_refused(raw, tuple(want), cuts)


# ── early refusal ──


def test_a_refusal_on_the_head_is_told_before_a_byte_of_the_body():
    talk = Talk(addon := AllowAll(), RefusesHead())
    talk.receive(GIGABYTE_HEAD)
    assert status(talk.answers) == 401
    assert talk.lingers
    assert addon.hooks == ["requestheaders", "response"]
    talk.receive(b"x" * 1000)
    assert not talk.layer._parser.pending_bytes
    assert exchange_of(addon.flows[0]).bytes_in == 0


def test_a_refusal_on_the_head_keeps_the_connection_where_no_body_is_due():
    talk = Talk(AllowAll(), RefusesHead())
    for _ in range(2):
        talk.receive(request(b"", method="GET", close=False))
        assert status(talk.answers) == 401
    assert not talk.lingers


def test_a_body_cut_at_the_limit_is_not_kept():
    talk = Talk(AllowAll(max_body_bytes=100))
    talk.receive(CHUNKED_HEAD + b"3c\r\n" + b"x" * 60 + b"\r\n")
    turn = talk.layer._turn
    assert sum(map(len, turn.body)) == 60
    talk.receive(b"ffff\r\n" + b"x" * 41)
    assert error_code(talk.answers) == "body-too-large"
    assert not turn.body


@pytest.mark.parametrize("code", ["body-too-large", "malformed-request"])
def test_a_request_whose_body_fails_is_told_to_the_hook_request_with_its_fault(code):
    talk = Talk(addon := AllowAll(max_body_bytes=10))
    talk.receive(CHUNKED_HEAD + (b"ff\r\n" + b"x" * 20 if code == "body-too-large" else b"zz\r\n"))
    assert addon.seen == [("requestheaders", None), ("request", code), ("response", code)]


# ── Expect ──


def test_expect_continue_is_answered_after_the_head_passed():
    talk = Talk(AllowAll())
    raw = expecting()
    talk.receive(head_of(raw))
    assert talk.answers == CONTINUE
    talk.receive(raw[len(head_of(raw)) :])
    assert len(talk.calls) == 1


def test_expect_continue_is_answered_while_the_addons_have_not_decided_with_nothing():
    talk = Talk(AllowAll())
    talk.hooks_wait = True
    talk.receive(head_of(expecting()))
    assert not talk.sent


@pytest.mark.parametrize("raw", [expecting(), expecting(b"x" * 2000)], ids=["small", "declared-too-large"])
def test_expect_continue_of_a_refused_head_is_answered_with_the_refusal_alone(raw):
    addons = [AllowAll(max_body_bytes=100)] + ([RefusesHead()] if len(raw) < 1000 else [])
    talk = Talk(*addons)
    talk.receive(head_of(raw))
    answer = talk.answers
    assert status(answer) in (401, 413)
    assert b"100 Continue" not in answer
    assert talk.lingers


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(expecting(b""), id="no-body"),
        pytest.param(expecting(), id="the-body-is-here"),
        pytest.param(
            b"POST /v1/x HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", id="http-1.0"
        ),
    ],
)
def test_expect_continue_is_not_answered_where_nobody_waits_for_it(raw):
    talk = Talk(AllowAll())
    talk.receive(raw)
    assert b"100 Continue" not in talk.answers


# ── pipelining ──


def test_a_second_request_waits_for_the_answer_to_the_first():
    talk = Talk(AllowAll())
    talk.receive(request(b"1", close=False) + request(b"2", close=False))
    assert [sent[-1:] for sent in talk.requests] == [b"1"]
    talk.answer()
    assert [sent[-1:] for sent in talk.requests] == [b"1", b"2"]


def test_a_client_that_pipelines_beyond_the_bound_is_not_read_until_its_turn():
    talk = Talk(AllowAll(), bounds=Bounds(pipelined_bytes=200))
    talk.receive(request(b"1", close=False))
    talk.receive(request(b"x" * 300, close=False))
    assert talk.paused
    talk.answer()
    assert not talk.paused
    assert len(talk.calls) == 2


@pytest.mark.parametrize(("count", "breaths"), [(4, 0), (5, 1), (9, 2)])
def test_requests_that_arrived_together_are_answered_a_few_at_a_time(count, breaths):
    talk = Talk(RefusesHead())
    talk.receive(request(b"", close=False) * count)
    assert talk.breaths == breaths
    assert talk.answers.count(b"HTTP/1.1 401 ") == count
    assert talk.layer.idle


def test_a_client_is_read_again_only_when_little_of_what_it_sent_is_left():
    one = request(b"1", close=False)
    talk = Talk(AllowAll(), bounds=Bounds(pipelined_bytes=2 * len(one)))
    talk.receive(one)
    talk.receive(one * 4)
    paused = []
    for _ in range(5):
        paused.append(talk.paused)
        talk.answer()
    assert paused == [True, True, False, False, False]


def test_a_head_beyond_the_bound_is_read_on_once_it_is_its_turn():
    talk = Talk(AllowAll(), bounds=Bounds(pipelined_bytes=10))
    second = request(b"2", close=False)
    talk.receive(request(b"1", close=False))
    talk.receive(second[:30])
    assert talk.paused
    talk.answer()
    assert not talk.paused
    talk.receive(second[30:])
    assert len(talk.calls) == 2


def test_nothing_is_read_after_a_request_that_asked_for_the_end():
    talk = Talk(AllowAll())
    talk.receive(request(b"1") + request(b"2"))
    talk.answer()
    assert talk.answers.count(b"HTTP/1.1 ") == 1
    assert len(talk.calls) == 1
    assert talk.lingers


def test_a_faulty_second_request_is_refused_in_its_turn():
    talk = Talk(AllowAll())
    talk.receive(request(b"1", close=False) + b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not talk.sent
    talk.answer()
    first, _, second = talk.answers.partition(b'{"ok":true}')
    assert status(first) == 200
    assert error_code(second) == "protocol-not-permitted"


# ── nothing goes upstream undecided ──


@pytest.mark.parametrize("hook", ["requestheaders", "request"])
def test_nothing_goes_upstream_while_a_hook_runs_or_after_one_failed(hook):
    talk = Talk(AllowAll())
    talk.hooks_wait = True
    talk.receive(request(close=False))
    while talk.waiting[0].name != hook:
        exchange_of(talk.waiting[0].flow).max_body_bytes = 100
        talk.complete()
    assert not talk.calls
    talk.hooks_wait = False
    talk.complete(failed=True)
    assert error_code(talk.answers) == "policy-unavailable"
    assert not talk.calls


@pytest.mark.parametrize("effect", [None, Effect.DENY])
def test_nothing_goes_upstream_without_a_decision_that_allows(effect):
    class Decides:
        def request(self, flow):
            decision = Decision(effect=effect, reasons=(), obligations=(), revision="r") if effect else None
            exchange_of(flow).decision = decision

    talk = Talk(AllowAll(), Decides())
    talk.receive(request())
    assert error_code(talk.answers) == "policy-unavailable"
    assert not talk.calls


def test_an_exception_in_the_layer_refuses_and_ends_the_connection(monkeypatch):
    talk = Talk(addon := AllowAll())

    def broken(*_args, **_kwargs):
        raise RuntimeError("secret")

    monkeypatch.setattr("proxy_addons.http1.wire.upstream_request", broken)
    talk.receive(request())
    answer = talk.answers
    assert error_code(answer) == "policy-unavailable"
    assert b"secret" not in answer
    assert talk.lingers
    assert addon.hooks[-2:] == ["error", "response"]


# ── leaving and time ──


@pytest.mark.parametrize(
    ("sent", "hooks"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"POST /v1", [], id="half-a-head"),
        pytest.param(request(b"x" * 50)[:-10], ["requestheaders", "error"], id="half-a-body"),
        pytest.param(request(b"x" * 50), ["requestheaders", "request", "error"], id="waiting-for-an-answer"),
    ],
)
def test_a_client_that_leaves_is_told_once_and_its_call_is_abandoned(sent, hooks):
    talk = Talk(addon := AllowAll())
    talk.receive(sent)
    talk.leave()
    assert addon.hooks == hooks
    assert not hooks or addon.seen[-1] == ("error", "client-disconnected")
    assert not talk.sent
    assert talk.abandoned
    assert talk.closed


def test_a_client_that_left_while_addons_decided_costs_the_upstream_nothing():
    talk = Talk(AllowAll())
    talk.hooks_wait = True
    talk.receive(request())
    exchange_of(talk.waiting[0].flow).max_body_bytes = 100
    talk.complete()
    talk.leave()
    talk.hooks_wait = False
    talk.complete()
    assert not talk.calls


# ── a client that finished sending ──


@pytest.mark.parametrize("sent", [b"", b"POST /v1", request(b"x" * 50)[:-10]], ids=["nothing", "head", "body"])
def test_a_client_that_finished_before_its_request_is_gone(sent):
    talk = Talk(addon := AllowAll())
    talk.receive(sent)
    talk.finish()
    assert talk.closed
    assert not talk.sent
    assert "response" not in addon.hooks
    assert talk.admission.in_flight == 0


def test_a_client_that_finished_after_its_request_still_gets_its_answer():
    talk = Talk(addon := AllowAll())
    talk.receive(request(close=False))
    talk.finish()
    assert talk.answers == b"H", "the first byte of every answer: a kernel without a reader refuses it"
    assert talk.watched == 1
    talk.answer()
    assert (b"H" + talk.answers).startswith(b"HTTP/1.1 200 OK\r\n")
    assert talk.closed
    assert addon.hooks == ["requestheaders", "request", "responseheaders", "response"]


def test_requests_that_were_pipelined_before_the_end_are_all_answered():
    talk = Talk(AllowAll())
    talk.receive(request(b"1", close=False) + request(b"2", close=False))
    talk.finish()
    talk.answer()
    assert not talk.closed
    talk.answer()
    assert talk.answers.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert talk.closed


def test_a_client_that_finished_and_then_left_is_told_once():
    talk = Talk(addon := AllowAll())
    talk.receive(request())
    talk.finish()
    talk.leave()
    talk.leave()
    assert addon.seen[-1] == ("error", "client-disconnected")
    assert addon.hooks.count("error") == 1
    assert talk.abandoned


def test_a_client_that_finished_while_addons_decide_gets_their_refusal():
    talk = Talk(AllowAll(), RefusesHead())
    talk.hooks_wait = True
    talk.receive(request(b"", method="GET", close=False))
    talk.finish()
    talk.hooks_wait = False
    talk.complete(failed=True)
    assert status(talk.answers) == 503
    assert talk.closed


def test_an_exception_after_the_first_byte_still_tells_a_whole_refusal(monkeypatch):
    class Breaks:
        def responseheaders(self, flow):
            monkeypatch.setattr("proxy_addons.http1.layer.Http1ReverseLayer._answer", None)

    talk = Talk(AllowAll(), Breaks())
    talk.receive(request())
    talk.finish()
    talk.answer()
    assert (status(talk.sent), error_code(talk.answers)) == (503, "policy-unavailable")


# ── how many are taken ──


def test_a_request_beyond_those_in_flight_is_refused_on_its_head_and_told_when_to_come_back():
    talk = Talk(addon := AllowAll(), bounds=Bounds(requests=0))
    talk.receive(GIGABYTE_HEAD)
    answer = talk.answers
    assert (status(answer), error_code(answer)) == (503, "overloaded")
    assert b"\r\nRetry-After: 1\r\n" in answer
    assert addon.seen == [("requestheaders", "overloaded"), ("response", "overloaded")]
    assert talk.admission.in_flight == 0


@pytest.mark.parametrize(
    "ends",
    [
        pytest.param(lambda talk: talk.answer(), id="answered"),
        pytest.param(lambda talk: talk.upstream_fails("upstream-timeout"), id="upstream-failed"),
        pytest.param(lambda talk: talk.leave(), id="client-left"),
        pytest.param(lambda talk: talk.layer.release(), id="connection-over"),
    ],
)
def test_a_place_is_given_back_once_however_the_request_ends(ends):
    talk = Talk(AllowAll())
    talk.receive(request(close=False))
    assert talk.admission.in_flight == 1
    ends(talk)
    talk.layer.release()
    assert talk.admission.in_flight == 0


@pytest.mark.parametrize("sent", [GIGABYTE_HEAD, CHUNKED_HEAD + b"zz\r\n"], ids=["too-large", "malformed"])
def test_a_refused_request_gives_its_place_back(sent):
    talk = Talk(AllowAll(max_body_bytes=100))
    talk.receive(sent)
    assert talk.admission.in_flight == 0


# ── time ──


@pytest.mark.parametrize(
    ("sent", "want_s"),
    [
        pytest.param(b"POST /v1/x HT", 7, id="head"),
        pytest.param(request(b"x" * 99)[:-9], 5, id="body"),
    ],
)
def test_a_request_that_stops_arriving_is_refused(sent, want_s):
    talk = Talk(AllowAll(), bounds=Bounds(head_s=7, body_idle_s=5))
    talk.receive(sent)
    assert talk.deadline.after_s == want_s
    talk.late()
    assert (status(talk.sent), error_code(talk.answers)) == (408, "request-timeout")


def test_a_head_that_drips_has_one_deadline_from_its_first_byte():
    talk = Talk(AllowAll())
    talk.receive(b"POST")
    first = talk.deadline
    talk.receive(b" /v1/x HTTP/1.1\r\nHo", cuts=(3, 9))
    assert talk.deadline is first


def test_a_body_that_drips_runs_into_its_total():
    talk = Talk(AllowAll(max_body_bytes=1000), bounds=Bounds(body_idle_s=5, body_total_s=12))
    talk.receive(head_of(request(b"x" * 500)))
    waits = []
    for _ in range(4):
        talk.now_ns += 3_000_000_000
        talk.receive(b"x")
        waits.append(talk.deadline.after_s)
    assert waits == [5, 5, 3, 0]


@pytest.mark.parametrize("cuts", [(), (-9,), (40, -9)], ids=["whole", "body-late", "head-and-body-late"])
def test_nothing_is_waited_for_from_the_client_while_the_upstream_answers(cuts):
    talk = Talk(AllowAll())
    sent = request(b"x" * 99, close=False)
    start = 0
    for end in (*(cut % len(sent) for cut in cuts), len(sent)):
        talk.receive(sent[start:end])
        start = end
    assert len(talk.calls) == 1
    assert talk.deadline.after_s is None
    talk.answer()
    assert talk.deadline.after_s is not None


def test_an_idle_connection_is_closed_in_silence():
    talk = Talk(addon := AllowAll())
    talk.late()
    assert talk.closed
    assert not talk.sent
    assert not addon.seen


def test_a_deadline_of_the_past_does_nothing():
    talk = Talk(AllowAll())
    past = talk.deadline
    talk.receive(request(close=False))
    talk.deadline = past
    talk.late()
    assert not talk.sent
    assert not talk.closed


# ── the worker parts ──


def test_a_worker_that_parts_says_that_each_answer_is_the_last():
    talk = Talk(AllowAll())
    talk.receive(request(close=False))
    talk.parting = True
    talk.answer()
    assert b"Connection: close\r\n" in talk.answers
    assert talk.lingers


@pytest.mark.parametrize("parts_before_the_head", [False, True])
def test_a_stream_whose_head_promised_more_gets_one_last_turn_while_its_worker_stops(parts_before_the_head):
    talk = Talk(AllowAll(), Streams(Shouting()))
    talk.receive(request(close=False))
    talk.parting = parts_before_the_head
    talk.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    promised = b"Connection: close\r\n" not in talk.answers
    talk.parting = talk.draining = True
    talk.answer(b"0\r\n\r\n")
    assert (promised, talk.lingers) == (not parts_before_the_head, parts_before_the_head)
    if not promised:
        return
    assert talk.deadline.after_s == Bounds().parting_s
    talk.receive(request(b"2", close=False))
    assert [sent[-1:] for sent in talk.requests] == [b"}", b"2"]
    talk.answers  # noqa: B018  # those of the stream
    talk.answer(ANSWER)
    assert b"Connection: close\r\n" in talk.answers
    assert talk.lingers


def test_a_worker_that_drains_takes_no_further_request():
    talk = Talk(AllowAll())
    talk.draining = True
    talk.receive(request())
    assert (status(talk.sent), error_code(talk.answers)) == (503, "draining")
    assert not talk.calls


# ── any bytes ──


class DeniesAll(AllowAll):
    def request(self, flow):
        pass


@given(
    name=st.sampled_from(sorted({*TAKEN, *REFUSED})),
    at=st.integers(min_value=0, max_value=300),
    instead_of=st.integers(min_value=0, max_value=8),
    mutation=st.binary(max_size=12),
    cuts=CUTS,
)
def test_no_bytes_break_the_layer_or_go_upstream_undecided(name, at, instead_of, mutation, cuts):
    raw = (TAKEN.get(name) or REFUSED[name])[0]
    at %= len(raw) + 1
    talk = Talk(DeniesAll(max_body_bytes=100))
    talk.layer._give_up = lambda: pytest.fail("the layer failed")
    talk.receive(raw[:at] + mutation + raw[at + instead_of :], cuts)
    assert not talk.calls
    talk.leave()
    assert talk.admission.in_flight == 0
    assert talk.closed or talk.lingers
