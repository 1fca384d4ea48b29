# SPDX-License-Identifier: Apache-2.0
"""The control plane knows the suite by its numbers alone; here it is held against the suite itself."""

from conformance.cases import CASES
from controlplane.services.gate_reports import ALWAYS_RUN, SUITE_CASES


def test_every_case_of_the_suite_is_asked_for():
    assert {case.number for case in CASES} == SUITE_CASES


def test_a_case_that_runs_against_every_gateway_may_not_be_skipped():
    def runs_everywhere(row) -> bool:
        needs = (row.needs_tls, row.needs_canary, row.needs_screen, row.lost_key, row.needs_model_list)
        return not any((*needs, row.scripted, row.recorded))

    everywhere = {
        case.number for case in CASES if not (case.alterations or case.checks) and any(map(runs_everywhere, case.rows))
    }
    assert everywhere == ALWAYS_RUN
