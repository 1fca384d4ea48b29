# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from policies.bundle.environment import Candidate, CandidateMode
from policies.contracts.request import Subject
from proxy_addons.core.trial import Trial
from tests.unit.proxy_addons.harness import active_policy

TERMS = Candidate(serial=9, etag="sha256-1", mode=CandidateMode.ENFORCE, salt="act_1")
ALICE = Subject(type="user", id="alice")


@pytest.mark.parametrize(
    ("share", "chosen"),
    [
        pytest.param({}, True, id="everybody"),
        pytest.param({"subjects_percent": 100, "workers_percent": 100}, True, id="all-of-both"),
        pytest.param({"subjects_percent": 0}, False, id="no-subject"),
        pytest.param({"workers_percent": 0}, False, id="no-worker"),
    ],
)
def test_a_request_is_chosen_where_its_subject_and_its_worker_are(share, chosen):
    trial = Trial.of(active_policy(serial=9), replace(TERMS, **share), worker="node-1/w0")
    assert trial.chooses(ALICE) is chosen


@pytest.mark.parametrize("mode", CandidateMode)
def test_only_an_enforcing_one_decides_and_only_a_warning_one_warns(mode):
    trial = Trial.of(active_policy(serial=9), replace(TERMS, mode=mode), worker="node-1/w0")
    assert (trial.decides, trial.warns) == (mode is CandidateMode.ENFORCE, mode is CandidateMode.WARN)
