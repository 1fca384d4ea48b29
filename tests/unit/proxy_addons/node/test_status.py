# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.node.messages import Enforcing, Trying
from proxy_addons.node.status import NodeStatus, SpoolDepth
from proxy_addons.node.worker_process import WorkerState

CANDIDATE = ("candidate_serial", "candidate_error")


def status_of(*workers: WorkerState, wanted: int | None = None, problem: str = "") -> NodeStatus:
    return NodeStatus(
        node_id="node-1",
        environment="staging",
        version="1",
        workers=workers,
        spool=SpoolDepth(),
        guard_engine="opa",
        rejected_bundle=None,
        candidate_wanted=wanted,
        candidate_problem=problem,
    )


def reported(*said: Trying, wanted: int | None = 9, problem: str = "") -> dict:
    state = WorkerState(slot=0)
    for message in said:
        state = state.after(message)
    (worker,) = status_of(state, wanted=wanted, problem=problem).to_json()["workers"]
    return {name: worker[name] for name in CANDIDATE if name in worker}


@pytest.mark.parametrize(
    ("said", "wanted", "problem", "want"),
    [
        pytest.param([], None, "", {}, id="none-is-tried"),
        pytest.param([Trying(serial=9)], 9, "", {"candidate_serial": 9}, id="tried"),
        pytest.param([Trying(serial=9), Trying(serial=None)], None, "", {}, id="ended"),
        pytest.param([Trying(serial=9, error="late")], 9, "", {"candidate_error": "late"}, id="failed"),
        pytest.param([Trying(serial=9, error="late")], 10, "", {}, id="an-earlier-one-failed"),
        pytest.param([Trying(serial=9, error="late"), Trying(serial=9)], 9, "", {"candidate_serial": 9}, id="at-last"),
        pytest.param([], 9, "content-altered", {"candidate_error": "content-altered"}, id="no-worker-heard-of-it"),
    ],
)
def test_a_worker_is_reported_with_the_candidate_that_it_tries_or_why_not(said, wanted, problem, want):
    assert reported(*said, wanted=wanted, problem=problem) == want


def test_a_node_says_of_which_environment_it_is():
    assert status_of().to_json()["environment"] == "staging"


@pytest.mark.parametrize(
    ("said", "want"),
    [
        pytest.param([Enforcing(serial=7, revision="r")], {"error": ""}, id="loaded"),
        pytest.param(
            [Enforcing(serial=8, revision="r", error="late")], {"error": "late", "failed_serial": 8}, id="not"
        ),
        pytest.param(
            [Enforcing(serial=8, revision="r", error="late"), Enforcing(serial=9, revision="r")],
            {"error": ""},
            id="the-next-was",
        ),
    ],
)
def test_a_worker_is_reported_with_the_serial_that_its_error_is_of(said, want):
    state = WorkerState(slot=0)
    for message in said:
        state = state.after(message)
    (worker,) = status_of(state).to_json()["workers"]
    assert {name: worker[name] for name in ("error", "failed_serial") if name in worker} == want
