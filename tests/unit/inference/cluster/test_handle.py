# SPDX-License-Identifier: Apache-2.0
"""Ray Serve's exceptions and its cancellation, in our words. Ray itself is not started."""

import asyncio
import warnings
from types import SimpleNamespace

import pytest

pytest.importorskip("ray", reason="the group `ray` is not installed")
with warnings.catch_warnings():
    # Ray 2.60 declares its schemas with names that pydantic 2 deprecates (`update_type` of a field)
    warnings.simplefilter("ignore", DeprecationWarning)
    from ray.exceptions import ActorDiedError
    from ray.serve._private.common import DeploymentID
    from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RequestCancelledError

    from inference.cluster.exchange import Asked, Overloaded, ReplicaLost
    from inference.cluster.handle import ReplicaHandle

ASKED = Asked(method="GET", path="/", query=b"", headers=(), body=b"")


class FakeResponse:
    def __init__(self, *outcomes) -> None:
        self.outcomes = outcomes
        self.cancels = 0

    async def __aiter__(self):
        for outcome in self.outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            yield outcome

    def cancel(self) -> None:
        self.cancels += 1
        raise ValueError("what the request ended with")


def asked(response: FakeResponse):
    def options(*, method_name, stream):
        assert (method_name, stream) == ("answer", True)
        return SimpleNamespace(remote=lambda _: response)

    return ReplicaHandle(SimpleNamespace(options=options)).ask(ASKED)


async def test_hands_on_what_comes():
    assert [batch async for batch in asked(FakeResponse(["a"], ["b"]))] == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("raised", "want"),
    [
        pytest.param(BackPressureError(num_queued_requests=1, max_queued_requests=1), Overloaded, id="queue-full"),
        pytest.param(DeploymentUnavailableError(DeploymentID(name="x")), ReplicaLost, id="none-there"),
        pytest.param(ActorDiedError(), ReplicaLost, id="died"),
        pytest.param(RequestCancelledError("1"), asyncio.CancelledError, id="cancelled"),
        pytest.param(ValueError(), ValueError, id="anything-else"),
    ],
)
async def test_says_what_happened(raised, want):
    with pytest.raises(want):
        [batch async for batch in asked(FakeResponse(["a"], raised))]


async def test_cancels_once_and_says_nothing_of_what_that_raises():
    response = FakeResponse()
    answering = asked(response)
    answering.cancel()
    answering.cancel()
    assert response.cancels == 1


async def test_does_not_cancel_what_has_ended():
    response = FakeResponse(["a"])
    answering = asked(response)
    async for _ in answering:
        pass
    answering.cancel()
    assert response.cancels == 0


class FakeBroadcast:
    def __init__(self, *answers, late: bool = False) -> None:
        self.answers = answers
        self.late = late

    def options(self, **_):
        return None

    def broadcast(self, method):
        assert method == "page"
        return self

    def results(self, *, timeout_s, return_exceptions):
        assert return_exceptions
        if self.late:
            raise TimeoutError
        return list(self.answers)


def test_gathers_the_pages_of_the_replicas_that_answer():
    handle = ReplicaHandle(FakeBroadcast(("one", b"1"), ActorDiedError(), ("two", b"2")))
    assert handle.pages(timeout_s=1) == {"one": b"1", "two": b"2"}


def test_has_no_pages_where_none_come_in_time():
    assert ReplicaHandle(FakeBroadcast(late=True)).pages(timeout_s=1) == {}
