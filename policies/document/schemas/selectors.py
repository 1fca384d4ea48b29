# SPDX-License-Identifier: Apache-2.0
"""What policies select by, the same in every kind: subjects, models, operations, and an id for what selects."""

from typing import Final

from policies.document import forms
from policies.document.schemas.parts import Schema, listed, text

RULE_ID: Final = text(forms.ID, "The rule's name, which decision records give. Unique in this document.")
SUBJECT: Final = text(forms.SUBJECT, "`user:NAME`, `service:NAME`, `group:NAME`, or `*` for everybody.")
MODEL: Final = text(forms.MODEL, "The exact id of a model, or `*` for every one.")
OPERATION: Final = text(
    forms.OPERATION,
    "An operation as a routes policy names it, or `*` for every one.",
    examples=["chat.completions", "responses", "completions", "embeddings", "models.list"],
)
SUBJECTS: Final = listed(SUBJECT, "For whom.", at_least=1)

# Each may be left out or empty, which selects everything.
SELECTORS: Final[dict[str, Schema]] = {
    "operations": listed(OPERATION, "For which operations; left out or empty: for all.") | {"default": []},
    "models": listed(MODEL, "For which models; left out or empty: for all.") | {"default": []},
    "subjects": listed(SUBJECT, "For whom; left out or empty: for everybody.") | {"default": []},
}
