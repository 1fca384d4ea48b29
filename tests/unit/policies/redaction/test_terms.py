# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from policies.contracts.decision import Mode
from policies.contracts.snapshot import (
    AtBound,
    Decoding,
    EmbeddingInputs,
    HoldBounds,
    LogProbabilities,
    OverBudget,
    RedactionPolicy,
)
from policies.redaction.terms import Terms, united

PLAIN = RedactionPolicy(id="a", version="1", mode=Mode.ENFORCE, operations=(), models=(), rules=())
LARGE = replace(
    PLAIN,
    hold=HoldBounds(max_bytes=65536, max_ms=500, at_bound=AtBound.REDACT),
    decoding=Decoding(depth=1, max_bytes=4_194_304, over_budget=OverBudget.ANNOTATE),
    embeddings=EmbeddingInputs.ALLOW,
    log_probabilities=LogProbabilities.REFUSE,
)


def test_one_policy_has_its_own_terms():
    assert united([LARGE]) == Terms(
        hold=LARGE.hold,
        decoding=LARGE.decoding,
        embeddings=LARGE.embeddings,
        log_probabilities=LARGE.log_probabilities,
    )


def test_of_two_the_stricter_holds():
    assert united([PLAIN, LARGE]) == Terms(
        hold=HoldBounds(max_bytes=16_384, max_ms=500, at_bound=AtBound.CUT),
        decoding=Decoding(depth=3, max_bytes=Decoding().max_bytes, over_budget=OverBudget.BLOCK),
        embeddings=EmbeddingInputs.BLOCK,
        log_probabilities=LogProbabilities.REFUSE,
    )


def test_the_order_of_policies_makes_no_difference():
    assert united([LARGE, PLAIN]) == united([PLAIN, LARGE])


def test_what_only_looks_changes_no_terms():
    assert united([PLAIN, replace(LARGE, mode=Mode.WARN)]) == united([PLAIN])


def test_what_only_looks_stops_nothing():
    looking = replace(PLAIN, mode=Mode.OBSERVE, log_probabilities=LogProbabilities.REFUSE)
    assert united([looking]) == Terms(
        hold=PLAIN.hold,
        decoding=replace(PLAIN.decoding, over_budget=OverBudget.ANNOTATE),
        embeddings=EmbeddingInputs.ALLOW,
        log_probabilities=LogProbabilities.DROP,
    )


def test_without_a_policy_there_are_terms_too():
    assert united([]) == united([replace(PLAIN, mode=Mode.OBSERVE)])


def test_a_bound_is_put_down_to_the_policy_that_states_it():
    small = replace(LARGE, id="b", hold=HoldBounds(max_bytes=1024))
    looking = replace(small, id="c", mode=Mode.OBSERVE, hold=HoldBounds(max_bytes=1))
    terms = united([LARGE, small, PLAIN, looking])
    assert (terms.hold_by, terms.decoding_by) == ("b", "a")
    assert united([looking]).hold_by == ""
