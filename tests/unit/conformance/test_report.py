# SPDX-License-Identifier: Apache-2.0
import json

from conformance.answers import Answer
from conformance.case import Target
from conformance.cases import CASES
from conformance.report import as_evidence, as_told
from conformance.runner import CaseResult, NamedAnswer, RowResult, Trial, Verdict, named

TRIAL = Trial(target=Target(host="localhost", port=80, tls=False, key="k", model="m"), timeout_s=1.0, gatehouse=True)
RESULT = CaseResult(
    case=CASES[0],
    rows=(
        RowResult(
            row="one",
            cut="whole",
            verdict=Verdict.PASS,
            seen="400 framing, closed",
            elapsed_s=0.25,
            answers=(NamedAnswer(status=400, request_id="req_1"), NamedAnswer(status=502, request_id=None)),
        ),
    ),
)


def test_evidence_names_each_request_and_has_no_fractions_and_no_texts():
    evidence = as_evidence(TRIAL, [RESULT])
    assert (evidence["gateway"], evidence["rows"]) == ("gatehouse", {"pass": 1, "fail": 0, "skip": 0})
    (case,) = evidence["cases"]
    assert case == {
        "case": 1,
        "verdict": "pass",
        "rows": [
            {
                "row": "one",
                "cut": "whole",
                "verdict": "pass",
                "answers": [{"status": 400, "request_id": "req_1"}, {"status": 502, "request_id": None}],
            }
        ],
    }
    assert "." not in json.dumps(case)


def test_what_scripts_read_has_what_was_seen():
    (case,) = as_told(TRIAL, [RESULT])["cases"]
    assert (case["rows"][0]["seen"], case["rows"][0]["elapsed_s"]) == ("400 framing, closed", 0.25)


def test_an_answer_is_named_by_the_one_id_that_it_has():
    def of(*headers):
        return named(Answer(200, [(b"X-Request-Id", value) for value in headers])).request_id

    assert of(b"req_1") == "req_1"
    assert of() is None
    assert of(b"req_1", b"req_2") is None
