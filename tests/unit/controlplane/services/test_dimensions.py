# SPDX-License-Identifier: Apache-2.0
"""What is looked up in a table, or taken by a short way, is what the members of an envelope say."""

import copy

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controlplane.services import dimensions
from controlplane.services.dimensions import OWN, Dimension, described, values_of

RULE = {"policy": "answer-redaction", "rule": "card", "detector": "payment-card", "kind": "CREDIT_CARD"}
ENVELOPE = {
    "kind": "terminal",
    "environment": "production",
    "source": {"id": "node-1/w0", "boot_id": "b" * 32, "seq": 1},
    "trace_id": "ab" * 16,
    "subject": {"pseudonym": "p1:" + "1a" * 16, "type": "user", "credential": "api-key", "key_id": "01J"},
    "action": "chat.completions",
    "resource": {"type": "model", "id": "parrot"},
    "http": {"method": "POST", "route": "chat", "status": 200, "stream": False},
    "revision": "sha256:9f",
    "serial": 7,
    "engines": [{"engine": "casbin", "answers": [{"policy": "chat-access", "outcome": "allow"}], "duration_us": 14}],
    "outcome": "allow",
    "verdict": "redacted",
    "reasons": [{"code": "access-denied", "policy": "chat-access", "rule": "r1"}],
    "would_have": None,
    "obligations": [{"type": "redact", "policy": "answer-redaction", "status": "done"}],
    "findings": [RULE],
    "remarks": [{**RULE, "span_hash": "s1:" + "9b" * 8}, {**RULE, "span_hash": ""}],
    "tool_calls": [{"policy": "caps", "rule": "r2", "name": "*"}],
    "candidate": {"serial": 9, "effect": "deny", "reasons": ["access-denied"], "differs": True},
    "content": {"prompts": "sha256:" + "5c" * 32, "answers": "sha256:" + "7d" * 32},
}
SCALARS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "1", "true", "allow", "\ud800", 2**70])
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "type", "policy", "rule", "code", "answers", "outcome"]), inner)
    ),
    max_leaves=5,
)
GONE = object()


def places(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def changed(path, value):
    envelope = copy.deepcopy(ENVELOPE)
    within = envelope
    for key in path[:-1]:
        within = within[key]
    if value is GONE:
        del within[path[-1]]
    else:
        within[path[-1]] = value
    return envelope


@settings(max_examples=400)
@example(path=("serial",), value=1)
@example(path=("serial",), value=True)
@example(path=("trace_id",), value=0)
@example(path=("source", "id"), value="")
@example(path=("subject", "key_id"), value="x" * 600)
@example(path=("remarks",), value=[{**RULE, "span_hash": f"s1:{number}"} for number in range(300)])
@example(path=("content",), value={"prompts": "s", "answers": "s"})
@example(path=("content",), value={str(number): str(number) for number in range(300)})
@example(path=("content",), value=["prompts"])
@given(path=st.sampled_from([path for path in places(ENVELOPE) if path]), value=JSON | st.just(GONE))
def test_what_is_shared_and_what_is_own_are_all_values_of_an_envelope(path, value):
    envelope = changed(path, value)
    for _ in range(2):  # the second time out of the table
        shared, own = described(envelope)
        assert shared.union(own) == values_of(envelope)
        assert len(own) == len(set(own))
        assert {dimension for dimension, _ in own} <= OWN
        assert OWN.isdisjoint(dimension for dimension, _ in shared)


def test_decisions_of_one_kind_share_one_object():
    other = changed(("trace_id",), "cd" * 16)
    assert described(other)[0] is described(ENVELOPE)[0]


def test_long_names_leave_no_keys_behind(monkeypatch):
    monkeypatch.setattr(dimensions, "_shared", table := {})
    for number in range(10):
        described(changed(("resource", "id"), "m" * 4000 + str(number)))
    assert not table


def test_the_table_is_bounded(monkeypatch):
    monkeypatch.setattr(dimensions, "_shared", table := {})
    monkeypatch.setattr(dimensions, "_MOST_SHARED", 4)
    for number in range(10):
        shared, _ = described(changed(("serial",), number))
        assert (Dimension.SERIAL, str(number)) in shared
        assert len(table) <= 4


@pytest.mark.parametrize("member", ["findings", "remarks", "tool_calls"])
def test_what_differs_in_counts_alone_is_of_one_kind(member):
    counted = changed((member, 0, "count"), 12)
    assert described(counted)[0] is described(ENVELOPE)[0]


def test_what_a_candidate_said_beside_is_found_by_its_effect_and_by_whether_it_differs():
    said = {value for value in values_of(ENVELOPE) if value[0] in {Dimension.CANDIDATE_EFFECT, Dimension.DIFFERS}}
    assert said == {(Dimension.CANDIDATE_EFFECT, "deny"), (Dimension.DIFFERS, "true")}
    without = {name: value for name, value in ENVELOPE.items() if name != "candidate"}
    assert values_of(without) == values_of(ENVELOPE) - said
