# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from datetime import timedelta

import pytest

from policies.contracts.request import Subject
from policies.contracts.scope import Scope
from proxy_addons.core.identity import Presented, credential_of
from proxy_addons.core.refused import Refused
from tests.unit.proxy_addons.harness import NOW, key_of, key_ring

KEY = key_of("bob").encode()
BEARER = (b"Authorization", b"Bearer " + KEY)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([BEARER], id="bearer"),
        pytest.param([(b"authorization", b"bearer " + KEY)], id="bearer-in-lower-case"),
        pytest.param([(b"X-Api-Key", KEY)], id="x-api-key"),
    ],
)
def test_one_key_is_found_in_either_form(headers):
    assert credential_of(headers, b"/v1/models") == Presented(KEY.decode(), is_token=False)


def test_a_token_is_told_apart_by_its_form():
    assert credential_of([(b"Authorization", b"Bearer a.b.c")], b"/") == Presented("a.b.c", is_token=True)


def test_nothing_shown_is_nothing():
    assert credential_of([(b"Host", b"a")], b"/v1/models?limit=1") is None


def test_another_form_beside_a_certificate_is_one_too_many():
    with pytest.raises(Refused) as refused:
        credential_of([(b"api-key", b"x")], b"/", certified=True)
    assert refused.value.code == "credentials-ambiguous"


def test_what_is_shown_is_not_in_what_is_logged():
    assert KEY.decode() not in repr(credential_of([BEARER], b"/"))


@pytest.mark.parametrize(
    ("headers", "target", "want"),
    [
        pytest.param([BEARER, BEARER], b"/", "credentials-ambiguous", id="twice"),
        pytest.param([BEARER, (b"x-api-key", b"")], b"/", "credentials-ambiguous", id="both-forms"),
        pytest.param([BEARER], b"/?api_key=x", "credentials-ambiguous", id="query-beside"),
        pytest.param([], b"/?api_key=x", "credentials-missing", id="query-alone"),
        pytest.param([(b"proxy-authorization", b"Bearer " + KEY)], b"/", "credentials-missing", id="proxy-alone"),
        pytest.param([(b"Authorization", KEY)], b"/", "credentials-invalid", id="no-scheme"),
        pytest.param([(b"Authorization", b"Bearer")], b"/", "credentials-invalid", id="scheme-alone"),
        pytest.param([(b"x-api-key", b"\xff" * 40)], b"/", "credentials-invalid", id="non-ascii"),
        pytest.param([(b"x-api-key", b"a" * 257)], b"/", "credentials-invalid", id="too-long"),
        pytest.param([(b"x-api-key", b"a" * 99 + b"." + b"a" * 199)], b"/", "credentials-invalid", id="token-as-key"),
        pytest.param([(b"Authorization", b"Bearer ." + b"a" * 8192)], b"/", "credentials-invalid", id="token-too-long"),
    ],
)
def test_anything_else_is_refused(headers, target, want):
    with pytest.raises(Refused) as refused:
        credential_of(headers, target)
    assert refused.value.code == want


def test_right_key_names_its_subject():
    credential = key_ring().authenticate(key_of("bob"), now=NOW)
    assert (credential.key_id, credential.subject) == ("01KEYBOB", Subject(type="user", id="bob"))


@pytest.mark.parametrize(
    ("changes", "key", "want"),
    [
        pytest.param({}, key_of("carol"), "credentials-invalid", id="unknown-id"),
        pytest.param({}, key_of("bob")[:-1] + "x", "credentials-invalid", id="wrong-secret"),
        pytest.param({}, key_of("bob") + "x", "credentials-invalid", id="too-long"),
        pytest.param({}, "sk-" + "b" * 40, "credentials-invalid", id="another-form"),
        pytest.param({}, "' OR 1=1 --", "credentials-invalid", id="sql"),
        pytest.param({}, key_of("bob") + "\0", "credentials-invalid", id="nul-behind-the-key"),
        pytest.param({}, key_of("bob").replace("gh_", "gh_\0"), "credentials-invalid", id="nul-within-the-key"),
        pytest.param({}, key_of("bob") + "\n", "credentials-invalid", id="a-line-end-behind-the-key"),
        pytest.param({}, key_of("bob") * 25_000, "credentials-invalid", id="a-megabyte"),
        pytest.param({}, key_of("bob").replace("b", "ь"), "credentials-invalid", id="look-alikes"),
        pytest.param({}, "", "credentials-invalid", id="empty"),
        pytest.param({"revoked": True}, key_of("bob"), "credentials-revoked", id="revoked"),
        pytest.param({"revoked": True}, key_of("bob")[:-1] + "x", "credentials-invalid", id="revoked-and-wrong"),
        pytest.param({"expires_at": NOW}, key_of("bob"), "credentials-expired", id="expired-now"),
    ],
)
def test_key_that_is_not_in_force_is_refused(changes, key, want):
    with pytest.raises(Refused) as refused:
        key_ring(**changes).authenticate(key, now=NOW)
    assert refused.value.code == want


def test_key_is_good_until_it_expires():
    ring = key_ring(expires_at=NOW + timedelta(microseconds=1))
    assert ring.authenticate(key_of("bob"), now=NOW).key_id == "01KEYBOB"


def test_a_blocked_subject_is_refused_by_whatever_credential():
    ring = key_ring(blocked=("user:bob",))
    ring.refuse_blocked(Subject(type="service", id="bob"))
    with pytest.raises(Refused) as refused:
        ring.refuse_blocked(Subject(type="user", id="bob", groups=("corp",)))
    assert refused.value.code == "credentials-revoked"


def test_a_key_has_its_scope():
    scope = Scope(models=("parrot",))
    assert key_ring(scope=scope).authenticate(key_of("bob"), now=NOW).scope == scope


def test_another_pepper_knows_no_key():
    with pytest.raises(Refused):
        replace(key_ring(), pepper=b"q" * 32).authenticate(key_of("bob"), now=NOW)
