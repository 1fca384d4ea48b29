# SPDX-License-Identifier: Apache-2.0
"""What the suite asks a control plane for, and what it says where that is not given."""

import httpx
import pytest

from conformance.log_api import LogApi, LogFails


def log(answer, within_s=0.2):
    return LogApi(httpx.Client(transport=httpx.MockTransport(answer), base_url="http://log"), within_s=within_s)


def answers(*told):
    """Answer each request with the next of `told`, and with the last for ever."""
    left = list(told)
    return lambda _: left.pop(0) if len(left) > 1 else httpx.Response(left[0].status_code, content=left[0].content)


def test_a_decision_is_waited_for_until_it_has_ended():
    ended = httpx.Response(200, json={"complete": True})
    told = answers(httpx.Response(404), httpx.Response(200, json={"complete": False}), ended)
    assert log(told, within_s=5).decision("req_1") == ended.content


def test_a_request_that_never_ends_or_may_not_be_asked_for_is_told():
    with pytest.raises(LogFails, match="no terminal record"):
        log(answers(httpx.Response(404))).decision("req_1")
    with pytest.raises(LogFails, match="answered 403"):
        log(answers(httpx.Response(403))).decision("req_1")


def test_an_export_is_waited_for():
    begun = httpx.Response(202, json={"id": "op_1"})
    running = httpx.Response(200, json={"state": "running"})
    done = httpx.Response(200, json={"state": "succeeded", "result": {"href": "/x"}})
    told = answers(begun, running, done, httpx.Response(200, content=b"file"))
    assert log(told, within_s=5).export(format="csv") == b"file"


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ([httpx.Response(403)], "answered 403"),
        ([httpx.Response(202, json={"id": "op_1"}), httpx.Response(200, json={"state": "failed"})], "is failed"),
        ([httpx.Response(202, json={"id": "op_1"}), httpx.Response(200, json={"state": "running"})], "is running"),
        ([httpx.Response(202, json={"id": "op_1"}), httpx.Response(500)], "answered 500"),
    ],
)
def test_an_export_that_is_not_made_is_told(told, problem):
    with pytest.raises(LogFails, match=problem):
        log(answers(*told)).evidence(since="a", until="b")


def test_a_checkpoint_is_waited_for_until_it_has_more():
    told = answers(*(httpx.Response(200, json={"size": size, "note": f"note {size}"}) for size in (4, 4, 5)))
    assert log(told, within_s=5).checkpoint_beyond(4) == b"note 5"
    with pytest.raises(LogFails, match="beyond 5"):
        log(answers(httpx.Response(200, json={"size": 5, "note": ""}))).checkpoint_beyond(5)
