# SPDX-License-Identifier: Apache-2.0
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.services.explanations import Sources, explain
from tests.records import make_record

SOURCE = """\
kind: access
id: chat-access
spec:
  # denies contractors, see below
  grants:
    - {id: contractors, effect: deny}
"""
SOURCES = Sources(release="rel_1", policies={"chat-access": ("sha256:aa", "chat.yaml", SOURCE)})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ("reasons", "engines", "coverage", "remarks", "obligations", "latency_us", "resource", "outcome", "verdict")


def envelope(**members):
    return orjson.loads(make_record(**members).envelope)


def test_a_refusal_names_rule_policy_source_line_and_what_the_reason_means():
    reasons = [{"code": "access-denied", "policy": "chat-access", "rule": "contractors"}]
    got = explain(envelope(outcome="deny") | {"reasons": reasons}, SOURCES)
    assert got["decided_by"] == [
        {
            "code": "access-denied",
            "title": "A policy denies this request.",
            "policy": "chat-access",
            "rule": "contractors",
            "policy_revision": "sha256:aa",
            "source": {"file": "chat.yaml", "line": 6, "text": "- {id: contractors, effect: deny}"},
        }
    ]
    assert got["sentences"][1] == (
        "access-denied by rule contractors of policy chat-access (chat.yaml, line 6): A policy denies this request."
    )


def test_what_was_allowed_is_explained_by_who_allowed_it():
    got = explain(envelope(), SOURCES)
    assert [answer["policy"] for answer in got["decided_by"]] == ["chat-access"]
    assert got["sentences"][0].startswith("chat.completions of model parrot was allowed and forwarded unchanged.")


@pytest.mark.parametrize(
    ("outcome", "said"), [("deny", "It was denied;"), ("allow", "It was allowed;"), (None, "Its result is neither")]
)
def test_a_decision_of_a_stock_opa_is_not_taken_for_a_request_that_goes_on(outcome, said):
    got = explain({"kind": "opa", "schema": "gatehouse.opa/1", "path": "x/allow", "outcome": outcome}, SOURCES)
    [sentence] = got["sentences"]
    assert sentence.startswith(f"An OPA beside Gatehouse decided on x/allow. {said}")
    assert "not ended" not in sentence


def test_what_was_read_found_and_left_is_told_without_any_text():
    remark = {"policy": "p", "rule": "mail", "detector": "email", "kind": "EMAIL_ADDRESS", "action": "replace"}
    remark |= {"path": "answer", "length": 17, "span_hash": "s1:0123456789abcdef"}
    coverage = {
        "scanned": ["answer"],
        "not_scanned": [{"path": "image", "reason": "image"}, {"path": "x", "reason": "no-rule-for-tool"}],
        "stripped": 0,
        "by": [{"rules": ["p/mail"], "paths": ["answer"]}],
    }
    got = explain(envelope(remarks=[remark], remarks_omitted=2, coverage=coverage), Sources())
    assert (got["redacted"][0]["span"], got["scanned"]) == (
        "s1:0123456789abcdef",
        [{"paths": ["answer"], "rules": ["p/mail"]}],
    )
    for sentence in (
        "p/mail found EMAIL_ADDRESS (email) in answer: replace.",
        "Scanned: answer, by p/mail.",
        "Not scanned: image, because no detector reads images.",
        "Not scanned: x, because no rule selects texts of the class tool.",
    ):
        assert sentence in got["sentences"]


@pytest.mark.parametrize("member", MEMBERS)
@given(value=JSON)
def test_a_record_of_any_form_is_explained(member, value):
    assert explain(envelope() | {member: value}, SOURCES)["sentences"]


def test_what_another_enforcement_point_asked_is_told_as_such() -> None:
    asked = {"kind": "evaluation", "outcome": "allow", "verdict": None, "action": "chat.completions"}
    sentences = explain({**asked, "revision": "sha256:9f", "serial": 7}, Sources())["sentences"]
    want = "Another enforcement point asked. chat.completions was allowed. Revision sha256:9f, serial 7, decided."
    assert sentences[0] == want


def test_an_opa_that_had_our_bundle_is_told_with_it() -> None:
    opa = {"kind": "opa", "outcome": None, "path": "gatehouse/main", "revision": "sha256:9f", "serial": 7}
    assert explain(opa, Sources())["sentences"][0].endswith("it had revision sha256:9f, serial 7.")
