# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.node.listeners import PortTaken, bind_listeners
from proxy_addons.node.messages import Authenticating, Enforcing, Ready, Released, Revoking
from proxy_addons.node.status import serving
from proxy_addons.node.worker_process import WorkerState

STARTED = WorkerState(slot=0, pid=1)
SERVING = WorkerState(slot=0, pid=1, ready=True, serial=1, revision="r1", epoch=1, held=frozenset({1}))


@pytest.mark.parametrize(
    ("before", "message", "want"),
    [
        pytest.param(STARTED, Ready(), WorkerState(slot=0, pid=1, ready=True), id="ready"),
        pytest.param(
            STARTED,
            Enforcing(serial=1, revision="r1"),
            WorkerState(slot=0, pid=1, serial=1, revision="r1", held=frozenset({1})),
            id="first-policy",
        ),
        pytest.param(
            SERVING,
            Enforcing(serial=2, revision="", error="RegoRefused"),
            WorkerState(
                slot=0,
                pid=1,
                ready=True,
                serial=1,
                revision="r1",
                epoch=1,
                held=frozenset({1}),
                failed_serial=2,
                error="RegoRefused",
            ),
            id="a-policy-it-cannot-load",
        ),
        pytest.param(STARTED, Authenticating(epoch=3), WorkerState(slot=0, pid=1, epoch=3), id="credentials"),
        pytest.param(STARTED, Revoking(epoch=3), WorkerState(slot=0, pid=1, revocations_epoch=3), id="revocations"),
        pytest.param(
            SERVING,
            Released(serial=1),
            WorkerState(slot=0, pid=1, ready=True, serial=1, revision="r1", epoch=1),
            id="the-last-request-of-a-policy",
        ),
    ],
)
def test_state_after_a_message(before, message, want):
    assert before.after(message) == want


@pytest.mark.parametrize(
    ("states", "want"),
    [
        pytest.param([SERVING, SERVING], True, id="all"),
        pytest.param([SERVING, STARTED.after(Ready())], False, id="one-without-policy"),
        pytest.param([SERVING, STARTED], False, id="one-not-listening"),
    ],
)
def test_serving_needs_every_worker(states, want):
    assert serving(states) is want


def test_listeners_share_a_port_that_nobody_else_has(free_port):
    listeners = bind_listeners("127.0.0.1", free_port, 3)
    assert {listener.getsockname()[1] for listener in listeners} == {free_port}
    with pytest.raises(PortTaken):
        bind_listeners("127.0.0.1", free_port, 1)
    for listener in listeners:
        listener.close()
