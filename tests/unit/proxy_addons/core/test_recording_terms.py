# SPDX-License-Identifier: Apache-2.0
from policies.contracts.recording import USUAL_TERMS, LoggingPolicy, RecordingTerms, RecordsMode
from policies.contracts.request import Resource, Subject
from proxy_addons.core.exchange import Credential
from proxy_addons.core.recording_terms import terms_of
from tests.unit.proxy_addons.core.test_record_builder import exchange
from tests.unit.proxy_addons.harness import active_policy

ALICE = Credential(key_id="k", subject=Subject(type="user", id="alice"))
LENIENT = RecordingTerms(records=RecordsMode.BEST_EFFORT)


def policy(**selectors):
    stated = LoggingPolicy(
        id="log",
        version="1",
        records=RecordsMode.BEST_EFFORT,
        prompts=None,
        answers=None,
        max_bytes=None,
        **{"operations": (), "models": (), "subjects": ()} | selectors,
    )
    return active_policy(logging=(stated,))


def test_records_are_strict_where_nobody_says_otherwise():
    assert terms_of(exchange()) is USUAL_TERMS
    assert terms_of(exchange(policy=active_policy(), credential=ALICE)) is USUAL_TERMS


def test_a_policy_holds_as_soon_as_what_it_selects_by_is_known():
    for_all, for_alice, for_model = policy(), policy(subjects=("user:alice",)), policy(models=("parrot",))
    assert terms_of(exchange(policy=for_all)) == LENIENT
    assert terms_of(exchange(policy=for_alice)) == USUAL_TERMS
    assert terms_of(exchange(policy=for_alice, credential=ALICE)) == LENIENT
    assert terms_of(exchange(policy=for_model, credential=ALICE)) == USUAL_TERMS
    asked = exchange(policy=for_model, credential=ALICE, resource=Resource(type="model", id="parrot"))
    assert terms_of(asked) == LENIENT
