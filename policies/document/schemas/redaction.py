# SPDX-License-Identifier: Apache-2.0
"""The schema of `redaction`."""

from typing import Final

from policies.contracts.snapshot import (
    AtBound,
    Decoding,
    Direction,
    EmbeddingInputs,
    FieldClass,
    HoldBounds,
    LogProbabilities,
    OverBudget,
    RedactionAction,
    Strictness,
)
from policies.detectors.validators import VALIDATOR_NAMES
from policies.document import forms
from policies.document.kinds import redaction as of_redaction
from policies.document.schemas.parts import Schema, choice, flag, listed, members, text, whole
from policies.document.schemas.selectors import RULE_ID, SELECTORS

FIELDS: Final = listed(choice(FieldClass, "A class of texts."), "Texts of which classes; left out or empty: of all.")
_RULE: Final = members(
    "What is done about what some detectors find.",
    {
        "id": RULE_ID,
        "detectors": listed(
            text(
                forms.ID,
                "A detector, a group of them, a list of literals or a detector of this policy, or `all`.",
                examples=["all", "secrets", "personal", "email", "iban", "payment-card"],
            ),
            "What is looked for.",
            at_least=1,
        ),
        "action": choice(RedactionAction, "What is done about it."),
        "keep_last": whole(0, of_redaction.MOST_KEPT, "How many characters `mask` leaves.", default=0),
        "directions": listed(choice(Direction, "A direction."), "In requests, in answers.")
        | {"default": [str(Direction.ANSWER)]},
        "fields": FIELDS,
        **SELECTORS,
        "strictness": choice(
            Strictness,
            "Whether a value with a wrong check digit is found all the same, in strong context.",
            default=Strictness.LENIENT,
        ),
        "reversible": flag("Whether what `replace` took from a request is put back in the answer.", default=False),
    },
    required=("id", "detectors", "action"),
)

_ALONE: Final = text(
    forms.CHARACTERS, "The inside of a class of ASCII characters, none of which may stand beside what is found."
)
_KIND: Final = text(forms.KIND, "The name in placeholders; left out: the id in capitals.")
_CASE: Final = flag("Whether capitals make no difference.", default=False)
_PATTERN: Final = members(
    "A regular expression, matched in linear time.",
    {
        "expression": text(forms.EXPRESSION, "Without look-around and back references."),
        "alone": _ALONE,
        "ignore_case": _CASE,
    },
    required=("expression",),
)
_SAMPLE: Final = text(forms.SAMPLE, "A text.")
_DETECTOR: Final = members(
    "A detector of this policy's own.",
    {
        "id": RULE_ID,
        "patterns": listed(_PATTERN, "What it looks for.", at_least=1, unique=False),
        "finds": listed(_SAMPLE, "Texts in which it must find something.", at_least=1),
        "kind": _KIND,
        "validator": text(forms.LINE, "A check that what is found must pass.", examples=list(VALIDATOR_NAMES)),
        "context": listed(text(forms.CONTEXT, "A word."), "Words that stand near what is meant."),
        "needs_context": flag("Whether nothing is found without such a word.", default=False),
        "score_percent": whole(1, 100, "How sure it is.", default=100),
        "ignores": listed(_SAMPLE, "Texts in which it must find nothing."),
    },
    required=("id", "patterns", "finds"),
)
_LITERALS: Final = members(
    "Words and phrases of this policy's own.",
    {
        "id": RULE_ID,
        "values": listed(text(forms.LITERAL, "The text."), "What is looked for.", at_least=1),
        "kind": _KIND,
        "alone": _ALONE,
        "ignore_case": _CASE,
        "disguised": flag("Whether it is looked for spelled apart and in look-alikes too.", default=False),
    },
    required=("id", "values"),
)
_HOLD: Final = members(
    "How much of a streamed answer may wait for its end.",
    {
        "max_bytes": whole(
            of_redaction.LEAST_HELD, of_redaction.MOST_HELD, "In bytes.", default=HoldBounds().max_bytes
        ),
        "max_ms": whole(of_redaction.LEAST_HELD_MS, of_redaction.MOST_HELD_MS, "In milliseconds; left out: no bound."),
        "at_bound": choice(AtBound, "What is done at the bound.", default=HoldBounds().at_bound),
    },
)
_DECODING: Final = members(
    "How far encoded text is decoded to be looked at.",
    {
        "depth": whole(0, of_redaction.MOST_DEPTH, "How many codings within each other.", default=Decoding().depth),
        "max_bytes": whole(
            of_redaction.LEAST_DECODED, of_redaction.MOST_DECODED, "In bytes.", default=Decoding().max_bytes
        ),
        "over_budget": choice(OverBudget, "What is done beyond.", default=Decoding().over_budget),
    },
)
REDACTION: Final[Schema] = members(
    "What is looked for in requests and answers, and what is done about it.",
    {
        "rules": listed(_RULE, "Where several apply, the severest action is done.", at_least=1, unique=False),
        **SELECTORS,
        "detectors": listed(_DETECTOR, "Detectors of this policy's own.", unique=False),
        "literals": listed(_LITERALS, "Lists of words and phrases.", unique=False),
        "hold": _HOLD,
        "decoding": _DECODING,
        "embeddings": choice(
            EmbeddingInputs, "What becomes of an input to embed that would change.", default=EmbeddingInputs.BLOCK
        ),
        "log_probabilities": choice(
            LogProbabilities, "What becomes of log probabilities.", default=LogProbabilities.DROP
        ),
    },
    required=("rules",),
)
