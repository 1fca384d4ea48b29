# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.content import ContentHash, Side, content_hash, content_key, sealed_for
from policies.contracts.record import pseudonym, span_hash

KEY = bytes(range(32))


def test_a_text_has_one_hash_however_it_comes():
    hashed = ContentHash(KEY, tenant="default")
    for part in ("my prom", "", "pt"):
        hashed.update(part)
    assert hashed.value() == content_hash(KEY, tenant="default", text="my prompt")


def test_the_hash_of_a_text_is_pinned_since_records_keep_it_for_years():
    assert content_hash(KEY, tenant="default", text="my prompt") == "c1:75979f960f77928bdf4967db6616243e"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(content_hash(KEY, tenant="default", text="my prompt "), id="another-text"),
        pytest.param(content_hash(KEY, tenant="other", text="my prompt"), id="another-tenant"),
        pytest.param(content_hash(KEY[::-1], tenant="default", text="my prompt"), id="another-key"),
    ],
)
def test_another_text_tenant_or_key_has_another_hash(other):
    assert content_hash(KEY, tenant="default", text="my prompt") != other


def test_a_hash_of_content_is_no_hash_of_anything_else():
    digits = content_hash(KEY, tenant="default", text="user:alice")[3:]
    assert not digits.startswith(span_hash(KEY, tenant="default", span="user:alice")[3:])
    assert digits != pseudonym(KEY, tenant="default", subject="user:alice")[3:]


def test_a_text_that_is_no_unicode_has_a_hash_too():
    assert content_hash(KEY, tenant="t", text="\ud800").startswith("c1:")


def test_each_day_and_tenant_has_a_key_of_its_own():
    keys = {content_key(KEY, tenant=tenant, day=day) for tenant in "ab" for day in ("2026-11-20", "2026-11-21")}
    assert {len(key) for key in keys} == {32}
    assert len(keys) == 4


def test_what_a_sealed_text_is_bound_to_differs_by_record_and_side():
    bound = {sealed_for(tenant="t", record_id=record, side=side) for record in "12" for side in Side}
    assert len(bound) == 4
