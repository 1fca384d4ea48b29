# SPDX-License-Identifier: Apache-2.0
"""Administration as entries of the log."""

import json
from dataclasses import replace

from controlplane.audit.hashes import leaf_hash
from controlplane.services.admin_entries import admin_entry
from controlplane.services.model import AdminEvent
from policies.contracts.codec import canonical_bytes
from policies.contracts.record import MAX_ENVELOPE_BYTES, pseudonym
from tests.records import NOON

KEY = b"k" * 32
EVENT = AdminEvent(
    tenant="acme",
    seq=7,
    at=NOON,
    principal="prn_1",
    role="author",
    action="policy_created",
    target="chat-access",
    detail={"revision": "sha256:1"},
)


def test_an_entry_says_who_did_what_to_what():
    entry = admin_entry(EVENT, record_id="01X", pseudonym_key=KEY)
    assert json.loads(entry.envelope) == {
        "schema": "gatehouse.admin/1",
        "kind": "admin",
        "record_id": "01X",
        "tenant": "acme",
        "environment": None,
        "source": None,
        "time": "2026-11-20T12:00:00.000000Z",
        "seq": 7,
        "principal": "prn_1",
        "role": "author",
        "action": "policy_created",
        "target": "chat-access",
        "detail": {"revision": "sha256:1"},
    }
    assert entry.envelope == canonical_bytes(json.loads(entry.envelope))
    assert (entry.kind, entry.tenant, entry.payload) == ("admin", "acme", None)
    assert entry.leaf_hash == leaf_hash(entry.envelope)


def test_subjects_stand_in_it_as_pseudonyms():
    named = replace(EVENT, target="user:alice", detail={"subject": "service:ci", "also": ["user:bob", 1], "note": "x"})
    entry = admin_entry(named, record_id="01X", pseudonym_key=KEY)
    assert not any(name in entry.envelope for name in (b"alice", b"bob", b"service:ci"))
    content = json.loads(entry.envelope)
    assert content["target"] == pseudonym(KEY, tenant="acme", subject="user:alice")
    assert content["detail"]["subject"] == pseudonym(KEY, tenant="acme", subject="service:ci")
    assert (content["detail"]["also"][1], content["detail"]["note"]) == (1, "x")


def test_a_detail_that_no_envelope_holds_stands_there_by_its_digest():
    long = replace(EVENT, detail={"query": "x" * MAX_ENVELOPE_BYTES})
    entry = admin_entry(long, record_id="01X", pseudonym_key=KEY)
    assert len(entry.envelope) <= MAX_ENVELOPE_BYTES
    detail = json.loads(entry.envelope)["detail"]
    assert detail["bytes"] > MAX_ENVELOPE_BYTES
    assert detail["digest"].startswith("sha256:")
