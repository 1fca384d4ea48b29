# SPDX-License-Identifier: Apache-2.0
"""What decisions are found by: the values that a record has in each dimension.

Rules: `values_of` is total. Ingestion vouches for some members of an envelope only, and sources of other releases leave
some out: what is missing or of another form has no value, and never stops an append. The index, the check of what it
found, the roll-ups and the live tail all ask this one function, so that they cannot disagree.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import islice
from typing import Any, Final


class Dimension(StrEnum):
    """The name is the parameter's in the API, too."""

    ENVIRONMENT = "environment"
    KIND = "kind"
    OUTCOME = "outcome"
    VERDICT = "verdict"
    WOULD_HAVE = "would_have"
    SUBJECT = "subject"
    SUBJECT_TYPE = "subject_type"
    KEY_ID = "key_id"
    MODEL = "model"
    ACTION = "action"
    ROUTE = "route"
    METHOD = "method"
    STATUS = "status"
    STREAM = "stream"
    REASON = "reason"
    POLICY = "policy"
    RULE = "rule"
    REVISION = "revision"
    SERIAL = "serial"
    DETECTOR = "detector"
    FINDING_KIND = "finding_kind"
    SPAN = "span"
    CONTENT = "content"
    OBLIGATION = "obligation"
    REPLAYABLE = "replayable"
    SOURCE = "source"
    BOOT = "boot"
    TRACE_ID = "trace_id"


# Nearly every record may bring a value of its own here: such values are kept as fingerprints, not as bitmaps.
MANY_VALUED: Final = frozenset(
    {Dimension.SUBJECT, Dimension.KEY_ID, Dimension.SPAN, Dimension.CONTENT, Dimension.TRACE_ID}
)
DECISION_KINDS: Final = frozenset({"admission", "terminal", "opa"})
# As much of a name as is told apart: what clients choose is no way to make the index grow.
LONGEST_VALUE: Final = 512
_LONGEST_LIST: Final = 256

Value = tuple[Dimension, str]
_NOTHING: Final[Mapping[str, Any]] = {}


def values_of(envelope: Mapping[str, Any]) -> set[Value]:
    """Return the values of a decision's envelope."""
    return {(dimension, value[:LONGEST_VALUE]) for dimension, value in _values(envelope) if value is not None}


def request_id_of(envelope: Mapping[str, Any]) -> str | None:
    """Return the request that the record is of: a decision nobody numbered by request is one of its own."""
    return text(envelope.get("request_id")) or text(envelope.get("record_id"))


def latency_us_of(envelope: Mapping[str, Any]) -> int | None:
    total = _members(envelope.get("latency_us")).get("total")
    return total if type(total) is int and total >= 0 else None


def text(value: Any) -> str | None:
    """Return what a value is called in a filter; None where it is none."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if type(value) is int else None


def _values(envelope: Mapping[str, Any]) -> Iterator[tuple[Dimension, str | None]]:
    subject, http = _members(envelope.get("subject")), _members(envelope.get("http"))
    resource, source = _members(envelope.get("resource")), _members(envelope.get("source"))
    yield Dimension.ENVIRONMENT, text(envelope.get("environment"))
    yield Dimension.KIND, text(envelope.get("kind"))
    yield Dimension.OUTCOME, text(envelope.get("outcome"))
    yield Dimension.VERDICT, text(envelope.get("verdict"))
    yield Dimension.WOULD_HAVE, text(envelope.get("would_have"))
    yield Dimension.SUBJECT, text(subject.get("pseudonym"))
    yield Dimension.SUBJECT_TYPE, text(subject.get("type"))
    yield Dimension.KEY_ID, text(subject.get("key_id"))
    yield Dimension.MODEL, text(resource.get("id")) if resource.get("type") == "model" else None
    yield Dimension.ACTION, text(envelope.get("action"))
    yield Dimension.ROUTE, text(http.get("route"))
    yield Dimension.METHOD, text(http.get("method"))
    yield Dimension.STATUS, text(http.get("status"))
    yield Dimension.STREAM, text(http.get("stream"))
    yield Dimension.REVISION, text(envelope.get("revision"))
    yield Dimension.SERIAL, text(envelope.get("serial"))
    yield Dimension.REPLAYABLE, text(envelope.get("replayable"))
    yield Dimension.SOURCE, text(source.get("id"))
    yield Dimension.BOOT, text(source.get("boot_id"))
    yield Dimension.TRACE_ID, text(envelope.get("trace_id"))
    for hashed in islice(_members(envelope.get("content")).values(), _LONGEST_LIST):
        yield Dimension.CONTENT, text(hashed)
    for obligation in _listed(envelope.get("obligations")):
        yield Dimension.OBLIGATION, text(obligation.get("type"))
    yield from _policies(envelope)
    yield from _found(envelope)


def _policies(envelope: Mapping[str, Any]) -> Iterator[tuple[Dimension, str | None]]:
    """Yield every policy that took part (gave an applicable answer, a reason, a finding), and the rules of reasons."""
    for engine in _listed(envelope.get("engines")):
        for answer in _listed(engine.get("answers")):
            if answer.get("outcome") != "not_applicable":
                yield Dimension.POLICY, text(answer.get("policy"))
    for member in ("reasons", "findings", "tool_calls"):
        for item in _listed(envelope.get(member)):
            yield Dimension.POLICY, text(item.get("policy"))
            yield Dimension.RULE, _rule(item)
            yield Dimension.REASON, text(item.get("code")) if member == "reasons" else None


def _found(envelope: Mapping[str, Any]) -> Iterator[tuple[Dimension, str | None]]:
    for finding in _listed(envelope.get("findings")):
        yield Dimension.DETECTOR, text(finding.get("detector"))
    for remark in _listed(envelope.get("remarks")):
        yield Dimension.POLICY, text(remark.get("policy"))
        yield Dimension.RULE, _rule(remark)
        yield Dimension.DETECTOR, text(remark.get("detector"))
        yield Dimension.FINDING_KIND, text(remark.get("kind"))
        yield Dimension.SPAN, text(remark.get("span_hash"))


def _rule(item: Mapping[str, Any]) -> str | None:
    policy, rule = text(item.get("policy")), text(item.get("rule"))
    return f"{policy}/{rule}" if policy and rule else None


def _members(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _NOTHING


def _listed(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value[:_LONGEST_LIST] if isinstance(item, dict))
