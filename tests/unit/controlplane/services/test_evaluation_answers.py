# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from controlplane.services.evaluation_answers import AskedBy, Decided, answer_of, entry_of, text_of
from controlplane.services.evaluation_questions import Question, Unreadable, read_one
from controlplane.services.model import Principal, Role
from policies.contracts.decision import (
    Decision,
    Effect,
    EngineAnswer,
    Mode,
    Outcome,
    PolicyAnswer,
    Reason,
    Redact,
)
from policies.contracts.record import MAX_ENVELOPE_BYTES

AT = datetime(2026, 11, 20, 18, tzinfo=UTC)
PEP = Principal(tenant="default", id="prn_1", name="shop", role=Role.PEP, created_at=AT)
BY = AskedBy(principal=PEP, request_id="req_1", client_request_id="theirs-1")
KEY = b"k" * 32


def decided(
    *reasons: Reason, resource: str = "model", given: Any = None, not_judged: tuple[str, ...] = (), **decision: Any
) -> Decided:
    body = {
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": "chat.completions" if resource == "model" else "Read Alice's file"},
        "resource": {"type": resource, "id": "parrot"},
    }
    (question,) = read_one(body).items
    assert isinstance(question, Question)
    members = {"obligations": (), "revision": "sha256:9f"} | decision
    return Decided(
        id="dec_1",
        question=question,
        decision=Decision(effect=Effect.DENY if reasons else Effect.ALLOW, reasons=reasons, **members),
        serial=7,
        text="No.",
        input=given or {"subject": {"id": "alice"}},
        not_judged=not_judged,
        at=AT,
        decide_us=5,
        total_us=9,
    )


def entry(each: Decided) -> tuple[dict[str, Any], dict[str, Any]]:
    made = entry_of(each, BY, index=2, environment="production", pseudonym_key=KEY, salt="5a")
    assert made.payload is not None
    assert len(made.envelope) <= MAX_ENVELOPE_BYTES
    assert made.members["payload_digest"] == "sha256:" + hashlib.sha256(made.payload).hexdigest()
    return json.loads(made.envelope), json.loads(made.payload)


def test_what_was_not_judged_is_told_to_everybody_and_left_out_where_all_was() -> None:
    told = answer_of(decided(not_judged=("prompts", "screening")), tells_rules=False)
    assert (told["decision"], told["context"]["not_judged"]) == (True, ["prompts", "screening"])
    assert "not_judged" not in answer_of(decided(), tells_rules=False)["context"]


def test_an_allow_names_what_is_owed() -> None:
    told = answer_of(decided(obligations=(Redact(policy="cards"),)), tells_rules=True)
    assert told == {
        "decision": True,
        "context": {
            "decision_id": "dec_1",
            "policy_revision": "sha256:9f",
            "serial": 7,
            "obligations": [{"id": "redact:cards", "type": "redact", "properties": {"policy": "cards"}}],
        },
    }


@pytest.mark.parametrize(
    ("tells_rules", "want"), [(False, None), (True, {"403": "access-denied by chat-access/not-bob; caps-hit by caps"})]
)
def test_policies_are_named_only_to_those_who_may_read_them(tells_rules, want) -> None:
    reasons = (
        Reason(code="access-denied", policy="chat-access", rule="not-bob"),
        Reason(code="caps-hit", policy="caps"),
    )
    told = answer_of(decided(*reasons), tells_rules=tells_rules)
    assert told["context"].get("reason_admin") == want
    assert (told["decision"], told["context"]["reasons"]) == (False, ["access-denied", "caps-hit"])
    assert told["context"]["reason_user"] == {"403": "No."}


def test_what_could_not_be_read_is_a_no_with_its_error() -> None:
    want = {"decision": False, "context": {"error": {"status": 400, "message": "subject is missing."}}}
    assert answer_of(Unreadable(message="subject is missing."), tells_rules=False) == want


@pytest.mark.parametrize(
    ("code", "want"),
    [
        ("access-denied", "A policy denies this request."),
        ("caps-hit", "Too many."),
        ("gone", "A policy denies this request."),
    ],
)
def test_people_are_told_the_text_of_the_first_reason(code, want) -> None:
    assert text_of(decided(Reason(code=code)).decision, {"caps-hit": "Too many."}) == want


def test_the_entry_names_nobody() -> None:
    envelope, payload = entry(decided(resource="record"))
    assert "alice" not in json.dumps(envelope).lower()
    assert "parrot" not in json.dumps(envelope)
    assert (envelope["action"], envelope["resource"]) == (None, {"type": "record", "id": None})
    assert envelope["asked_by"] == {"principal": "prn_1", "role": "pep"}
    assert envelope["asked_in"] == {"request": "req_1", "index": 2}
    assert payload["resource"] == {"type": "record", "id": "parrot"}
    assert (payload["subject"], payload["client_request_id"]) == ({"type": "user", "id": "alice"}, "theirs-1")


@pytest.mark.parametrize(
    ("reasons", "want"),
    [
        ((), "allow"),
        ((Reason(code="access-denied"),), "deny"),
        ((Reason(code="evaluation-failed"),), "error_deny"),
    ],
)
def test_the_entry_tells_a_failure_from_a_denial(reasons, want) -> None:
    envelope, _ = entry(decided(*reasons))
    assert (envelope["outcome"], envelope["action"], envelope["resource"]["id"]) == (want, "chat.completions", "parrot")


def test_a_thousand_policies_fit_an_entry_and_what_decided_stays() -> None:
    neutral = [PolicyAnswer(policy=f"p{n}" * 20, mode=Mode.ENFORCE, outcome=Outcome.NOT_APPLICABLE) for n in range(999)]
    deny = PolicyAnswer(policy="the-one", mode=Mode.ENFORCE, outcome=Outcome.DENY)
    reasons = tuple(Reason(code=f"reason-{n}" * 5, policy="p" * 64) for n in range(1000))
    each = decided(*reasons, engines=(EngineAnswer(engine="opa", answers=(*neutral, deny)),))
    envelope, _ = entry(each)
    (engine,) = envelope["engines"]
    assert engine["answers"][0]["policy"] == "the-one"
    assert engine["omitted"] + len(engine["answers"]) == 1000
    assert envelope["reasons"]


def test_what_is_too_long_is_kept_by_its_digest() -> None:
    _, payload = entry(decided(given={"text": "x" * 70_000, "share": 0.5}))
    assert payload["input"] is None
    assert payload["input_digest"].startswith("sha256:")
    _, payload = entry(decided(given={"share": 0.5}))
    assert payload["input"] == {"share": 0.5}
