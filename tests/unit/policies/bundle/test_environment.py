# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.bundle.credentials import CredentialsDocument, sign_credentials
from policies.bundle.environment import (
    Candidate,
    CandidateMode,
    EnvironmentDocument,
    Staleness,
    WhenStale,
    sign_environment,
    verify_environment,
)
from policies.bundle.jws import open_signed, sign
from policies.contracts.errors import BundleRejected
from policies.contracts.request import Subject
from tests.unit.policies.bundle.bundles import KEYS, SIGNER, new_signer, public_pem

AT = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
SCOPE = {"keys": KEYS, "tenant": "default", "environment": "production"}
CANDIDATE = Candidate(
    serial=9,
    etag="sha256-" + "a" * 64,
    mode=CandidateMode.ENFORCE,
    subjects_percent=10,
    salt="act_01",
)
DOCUMENT = EnvironmentDocument(
    tenant="default",
    environment="production",
    number=4,
    issued_at=AT,
    staleness=Staleness(max_s=3600, then=WhenStale.DENY),
    posture_every_s=300,
    candidate=CANDIDATE,
)
PAYLOAD = {
    "schema": "gatehouse.environment/1",
    "tenant": "default",
    "environment": "production",
    "number": 4,
    "issued_at": "2026-11-20T18:00:00Z",
    "staleness": {"max_s": 3600, "then": "deny"},
    "posture": {"every_s": 300},
    "candidate": {
        "serial": 9,
        "etag": "sha256-" + "a" * 64,
        "mode": "enforce",
        "subjects_percent": 10,
        "workers_percent": None,
        "salt": "act_01",
    },
}

texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=40)
counts = st.integers(1, 2**53 - 1)
percents = st.none() | st.integers(0, 100)
candidates = st.builds(
    Candidate,
    serial=counts,
    etag=texts,
    mode=st.sampled_from(CandidateMode),
    salt=texts,
    subjects_percent=percents,
    workers_percent=percents,
)
documents = st.builds(
    EnvironmentDocument,
    tenant=texts,
    environment=texts,
    number=counts,
    issued_at=st.datetimes(timezones=st.just(UTC)),
    staleness=st.builds(Staleness, max_s=st.none() | counts, then=st.sampled_from(WhenStale)),
    posture_every_s=counts,
    candidate=st.none() | candidates,
)


@given(documents)
def test_what_was_signed_is_what_is_read(document):
    raw = sign_environment(document, SIGNER)
    read = verify_environment(raw, keys=KEYS, tenant=document.tenant, environment=document.environment)
    assert read == document
    assert raw == sign_environment(read, SIGNER)


def test_its_payload_is_the_one_of_the_specification():
    assert open_signed(sign_environment(DOCUMENT, SIGNER).decode(), KEYS) == PAYLOAD
    assert verify_environment(sign(PAYLOAD, SIGNER).encode(), **SCOPE) == DOCUMENT


def with_candidate(**changes) -> dict:
    return {**PAYLOAD, "candidate": {**PAYLOAD["candidate"], **changes}}


def without(raw: dict, member: str) -> dict:
    return {name: value for name, value in raw.items() if name != member}


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({**PAYLOAD, "schema": "gatehouse.environment/2"}, id="another-schema"),
        pytest.param({**PAYLOAD, "extra": 1}, id="an-unknown-member"),
        *(pytest.param(without(PAYLOAD, member), id=f"no-{member}") for member in PAYLOAD),
        *(
            pytest.param(
                {**PAYLOAD, "candidate": without(PAYLOAD["candidate"], member)}, id=f"candidate-without-{member}"
            )
            for member in PAYLOAD["candidate"]
        ),
        pytest.param(with_candidate(extra=1), id="an-unknown-member-of-the-candidate"),
        pytest.param({**PAYLOAD, "number": 0}, id="number-zero"),
        pytest.param({**PAYLOAD, "number": True}, id="number-true"),
        pytest.param({**PAYLOAD, "number": "4"}, id="number-as-text"),
        pytest.param({**PAYLOAD, "issued_at": "2026-11-20T18:00:00"}, id="a-time-without-zone"),
        pytest.param({**PAYLOAD, "issued_at": "2026-11-20T18:00:00+00:00"}, id="a-time-spelt-otherwise"),
        pytest.param({**PAYLOAD, "issued_at": 5}, id="a-time-as-number"),
        pytest.param({**PAYLOAD, "staleness": {"max_s": 0, "then": "deny"}}, id="stale-at-once"),
        pytest.param({**PAYLOAD, "staleness": {"max_s": None, "then": "go-on"}}, id="an-unknown-consequence"),
        pytest.param({**PAYLOAD, "staleness": {"max_s": None, "then": "deny", "x": 1}}, id="an-unknown-measure"),
        pytest.param({**PAYLOAD, "staleness": None}, id="no-staleness-at-all"),
        pytest.param({**PAYLOAD, "posture": {"every_s": 0}}, id="posture-without-pause"),
        pytest.param({**PAYLOAD, "posture": {"every_s": 300, "x": 1}}, id="an-unknown-member-of-posture"),
        pytest.param({**PAYLOAD, "candidate": []}, id="a-candidate-as-list"),
        pytest.param({**PAYLOAD, "candidate": False}, id="a-candidate-of-false"),
        pytest.param(with_candidate(mode="shadow"), id="an-unknown-mode"),
        pytest.param(with_candidate(serial=0), id="serial-zero"),
        pytest.param(with_candidate(subjects_percent=101), id="more-than-all"),
        pytest.param(with_candidate(subjects_percent=-1), id="fewer-than-none"),
        pytest.param(with_candidate(workers_percent=True), id="percent-true"),
        pytest.param(with_candidate(salt=""), id="an-empty-salt"),
        pytest.param(with_candidate(salt="a\0b"), id="nul-in-the-salt"),
        pytest.param(with_candidate(etag="a" * 257), id="an-etag-too-long"),
        pytest.param({**PAYLOAD, "tenant": None}, id="no-tenant"),
        pytest.param({"files": []}, id="the-signature-of-a-bundle"),
    ],
)
def test_a_document_in_another_form_is_refused(payload):
    with pytest.raises(BundleRejected) as caught:
        verify_environment(sign(payload, SIGNER).encode(), **SCOPE)
    assert caught.value.code == "snapshot-invalid"


@pytest.mark.parametrize(
    ("raw", "scope", "want"),
    [
        pytest.param(sign_environment(DOCUMENT, SIGNER), {"tenant": "other"}, "wrong-scope", id="another-tenant"),
        pytest.param(sign_environment(DOCUMENT, SIGNER), {"environment": "x"}, "wrong-scope", id="another-environment"),
        pytest.param(
            sign_environment(DOCUMENT, SIGNER),
            {"keys": {"gatehouse-1": public_pem(new_signer())}},
            "signature-invalid",
            id="another-key",
        ),
        pytest.param(b"\xff", {}, "signature-invalid", id="no-text"),
        pytest.param(b"a.b.c", {}, "signature-invalid", id="no-jws"),
        pytest.param(b"", {}, "signature-invalid", id="nothing"),
        pytest.param(
            sign({**PAYLOAD, "extra": "a" * 20_000}, SIGNER).encode(), {}, "signature-invalid", id="beyond-its-bound"
        ),
        pytest.param(
            sign_credentials(
                CredentialsDocument(tenant="default", environment="production", epoch=1, issued_at=AT, keys=()), SIGNER
            ),
            {},
            "snapshot-invalid",
            id="a-credentials-document",
        ),
    ],
)
def test_refuses_everything_else(raw, scope, want):
    with pytest.raises(BundleRejected) as caught:
        verify_environment(raw, **{**SCOPE, **scope})
    assert want == caught.value.code


def test_every_flipped_byte_is_refused():
    raw = sign_environment(DOCUMENT, SIGNER)
    for place in range(len(raw)):
        flipped = bytearray(raw)
        flipped[place] ^= 1 << (place % 8)
        with pytest.raises(BundleRejected):
            verify_environment(bytes(flipped), **SCOPE)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(replace(DOCUMENT, number=0), id="number-zero"),
        pytest.param(replace(DOCUMENT, issued_at=AT.replace(tzinfo=None)), id="a-time-without-zone"),
        pytest.param(replace(DOCUMENT, candidate=replace(CANDIDATE, subjects_percent=101)), id="more-than-all"),
        pytest.param(replace(DOCUMENT, staleness=Staleness(max_s=0)), id="stale-at-once"),
    ],
)
def test_what_no_reader_would_take_is_not_signed(document):
    with pytest.raises(ValueError, match=r"environment document|whole number|zone"):
        sign_environment(document, SIGNER)


def subjects(count: int) -> list[Subject]:
    return [Subject(type="user", id=f"u{number}") for number in range(count)]


def test_the_bucket_of_a_subject_is_the_one_of_the_specification():
    # His bucket is 3995: sha256(b"act_01\0default\0user:bob"), its first four bytes modulo 10,000.
    percents_that_choose_him = [
        percent
        for percent in range(101)
        if replace(CANDIDATE, subjects_percent=percent).chooses_subject("default", Subject(type="user", id="bob"))
    ]
    assert percents_that_choose_him == list(range(40, 101))


def test_a_larger_share_keeps_whom_a_smaller_one_chose():
    small, large = (replace(CANDIDATE, subjects_percent=percent) for percent in (10, 40))
    chosen = [subject for subject in subjects(2000) if small.chooses_subject("default", subject)]
    assert all(large.chooses_subject("default", subject) for subject in chosen)
    assert len(chosen) == pytest.approx(200, abs=60)


def test_another_salt_chooses_others():
    other = replace(CANDIDATE, salt="act_02")
    chosen = {
        salted.salt: {s.id for s in subjects(2000) if salted.chooses_subject("default", s)}
        for salted in (CANDIDATE, other)
    }
    assert len(chosen["act_01"] & chosen["act_02"]) < len(chosen["act_01"]) / 2


@pytest.mark.parametrize(
    ("percent", "want"),
    [
        pytest.param(None, True, id="no-share-is-everybody"),
        pytest.param(100, True, id="all"),
        pytest.param(0, False, id="nobody"),
    ],
)
def test_the_ends_of_a_share(percent, want):
    candidate = replace(CANDIDATE, subjects_percent=percent, workers_percent=percent)
    assert {candidate.chooses_subject("default", subject) for subject in subjects(300)} == {want}
    assert {candidate.chooses_worker("default", f"w{slot}") for slot in range(300)} == {want}


def test_a_time_in_another_zone_is_written_in_utc():
    there = replace(DOCUMENT, issued_at=AT.astimezone(timezone(timedelta(hours=9))))
    assert sign_environment(there, SIGNER) == sign_environment(DOCUMENT, SIGNER)
