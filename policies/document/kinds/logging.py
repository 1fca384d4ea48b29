# SPDX-License-Identifier: Apache-2.0
"""`logging`: whether every record must be durable, and what is kept of prompts and answers."""

from policies.contracts.recording import MOST_BYTES, ContentMode, RecordsMode
from policies.document import forms
from policies.document.model import LoggingSpec
from policies.document.reader import Members

_CONTENT = ("prompts", "answers")
_SELECTORS = ("operations", "models", "subjects")


def read_logging(document: Members, _id: str) -> LoggingSpec:
    """Return the `spec` of a logging policy."""
    spec = document.object("spec", known=("records", "content", "max_bytes", *_SELECTORS))
    if spec is None:
        return LoggingSpec()
    content = spec.object("content", known=_CONTENT)
    said = LoggingSpec(
        records=spec.choice("records", RecordsMode, RecordsMode.STRICT) if "records" in spec else None,
        prompts=_kept(content, "prompts"),
        answers=_kept(content, "answers"),
        max_bytes=spec.integer("max_bytes", low=1, high=MOST_BYTES),
        operations=spec.texts("operations", forms.OPERATION),
        models=spec.texts("models", forms.MODEL),
        subjects=spec.texts("subjects", forms.SUBJECT),
    )
    if "records" not in spec and "max_bytes" not in spec and (content is None or not content.node.members):
        document.notes.add("logging-nothing", spec.node.at, "Nothing is said.", "Add records or content.")
    return said


def _kept(content: Members | None, name: str) -> ContentMode | None:
    return None if content is None or name not in content else content.choice(name, ContentMode, ContentMode.NONE)
