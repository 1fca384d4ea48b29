# SPDX-License-Identifier: Apache-2.0
"""What decisions are found by: the values that a record has in each dimension.

Rules: `values_of` is total. Ingestion vouches for some members of an envelope only, and sources of other releases leave
some out: what is missing or of another form has no value, and never stops an append. The index, the check of what it
found, the roll-ups and the live tail all ask this one function, so that they cannot disagree.

Theory of the table behind `described`: most of what a decision is found by, it shares with thousands of others. Those
values are looked up by all members that they are taken from, written as JSON, in which no two different values are the
same bytes (a tuple would take 1 for true). What hits is one object, whose hash is computed once. An envelope whose
members have another form than ours is looked at in full, so that the table decides nothing but the time it takes.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import islice
from operator import itemgetter
from typing import Any, Final

import orjson


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
    CANDIDATE_EFFECT = "candidate_effect"
    DIFFERS = "differs"


# Nearly every record may bring a value of its own here: such values are kept as fingerprints, not as bitmaps.
MANY_VALUED: Final = frozenset(
    {Dimension.SUBJECT, Dimension.KEY_ID, Dimension.SPAN, Dimension.CONTENT, Dimension.TRACE_ID}
)
# What a decision shares with few others, whatever else they share.
OWN: Final = MANY_VALUED | {Dimension.SOURCE, Dimension.BOOT}
DECISION_KINDS: Final = frozenset({"admission", "terminal", "opa", "evaluation"})
# As much of a name as is told apart: what clients choose is no way to make the index grow.
LONGEST_VALUE: Final = 512
_LONGEST_LIST: Final = 256
# At most some 25 MB, usually one. Longer keys are those of no kind of decision that comes often.
_MOST_SHARED: Final = 4096
_LONGEST_KEY: Final = 2048

Value = tuple[Dimension, str]
# Where values stand: a member of the envelope (None: the envelope itself), and which of its members have which.
_Members = tuple[tuple[Dimension, str], ...]
_PLACES: Final[tuple[tuple[str | None, _Members], ...]] = (
    (
        None,
        (
            (Dimension.ENVIRONMENT, "environment"),
            (Dimension.KIND, "kind"),
            (Dimension.OUTCOME, "outcome"),
            (Dimension.VERDICT, "verdict"),
            (Dimension.WOULD_HAVE, "would_have"),
            (Dimension.ACTION, "action"),
            (Dimension.REVISION, "revision"),
            (Dimension.SERIAL, "serial"),
            (Dimension.REPLAYABLE, "replayable"),
            (Dimension.TRACE_ID, "trace_id"),
        ),
    ),
    (
        "subject",
        ((Dimension.SUBJECT, "pseudonym"), (Dimension.SUBJECT_TYPE, "type"), (Dimension.KEY_ID, "key_id")),
    ),
    (
        "http",
        (
            (Dimension.ROUTE, "route"),
            (Dimension.METHOD, "method"),
            (Dimension.STATUS, "status"),
            (Dimension.STREAM, "stream"),
        ),
    ),
    ("source", ((Dimension.SOURCE, "id"), (Dimension.BOOT, "boot_id"))),
    # No record had it before a release knew these dimensions, so that no index has to be made again for them.
    ("candidate", ((Dimension.CANDIDATE_EFFECT, "effect"), (Dimension.DIFFERS, "differs"))),
)
# The members of the envelope itself that are a value by themselves: a record has one, or none, of each of these.
PLAIN: Final[Mapping[Dimension, str]] = dict(_PLACES[0][1])
# The same of lists. A policy took part where it gave an applicable answer, a reason, or found something.
_LISTS: Final[tuple[tuple[str, _Members], ...]] = (
    ("reasons", ((Dimension.REASON, "code"), (Dimension.POLICY, "policy"))),
    ("findings", ((Dimension.DETECTOR, "detector"), (Dimension.POLICY, "policy"))),
    ("tool_calls", ((Dimension.POLICY, "policy"),)),
    (
        "remarks",
        (
            (Dimension.DETECTOR, "detector"),
            (Dimension.FINDING_KIND, "kind"),
            (Dimension.SPAN, "span_hash"),
            (Dimension.POLICY, "policy"),
        ),
    ),
    ("obligations", ((Dimension.OBLIGATION, "type"),)),
)
# The members that values outside OWN are taken from, all at once. They raise KeyError where one is missing.
_SCALARS: Final = itemgetter(
    *(name for dimension, name in _PLACES[0][1] if dimension not in OWN | {Dimension.REPLAYABLE})  # which most lack
)
_OF_HTTP: Final = itemgetter(*(name for _, name in _PLACES[2][1]))
_OF_CANDIDATE: Final = itemgetter("effect", "differs")
_OF_FINDING: Final = itemgetter("detector", "policy", "rule")
_OF_CALL: Final = itemgetter("policy", "rule")
_OF_REMARK: Final = itemgetter("detector", "kind", "policy", "rule")
_NOTHING: Final[Mapping[str, Any]] = {}
_shared: Final[dict[bytes, frozenset[Value]]] = {}


def described(envelope: Mapping[str, Any]) -> tuple[frozenset[Value], list[Value]]:
    """Return `values_of` in two parts: what many decisions share, then what is in OWN."""
    try:
        key, own = _key_of(envelope), _own_of(envelope)
    except (AttributeError, KeyError, TypeError):  # not of our form, or no JSON of 64-bit numbers
        key, own = None, []
    shared = None if key is None else _shared.get(key)
    if shared is not None:
        return shared, own
    values = values_of(envelope)
    shared = frozenset(value for value in values if value[0] not in OWN)
    if key is not None and len(key) <= _LONGEST_KEY:
        if len(_shared) >= _MOST_SHARED:
            _shared.clear()
        _shared[key] = shared
    return shared, list(values - shared)


def _key_of(envelope: Mapping[str, Any]) -> bytes:
    """Return every member that a value outside OWN is taken from. Raises where one is not there or not of its form."""
    subject, http, resource = envelope["subject"], envelope["http"], envelope["resource"]
    findings, calls, remarks = envelope["findings"], envelope.get("tool_calls"), envelope.get("remarks")
    candidate = envelope.get("candidate")
    return orjson.dumps(
        (
            _SCALARS(envelope),
            envelope.get("replayable"),
            candidate and _OF_CANDIDATE(candidate),
            subject and subject["type"],
            http and _OF_HTTP(http),
            resource and (resource["type"], resource["id"]),
            # What else is in these three is the same wherever these values are.
            envelope["reasons"],
            envelope["obligations"],
            [engine["answers"] for engine in envelope["engines"]],
            findings and [_OF_FINDING(item) for item in findings],
            calls and [_OF_CALL(item) for item in calls],
            remarks and [_OF_REMARK(item) for item in remarks],
        )
    )


def _own_of(envelope: Mapping[str, Any]) -> list[Value]:
    subject, source, remarks = envelope["subject"], envelope["source"], envelope.get("remarks")
    named = [
        (Dimension.TRACE_ID, envelope["trace_id"]),
        (Dimension.SOURCE, source["id"]),
        (Dimension.BOOT, source["boot_id"]),
    ]
    if subject:
        named += [(Dimension.SUBJECT, subject["pseudonym"]), (Dimension.KEY_ID, subject["key_id"])]
    if remarks:
        named += {(Dimension.SPAN, remark["span_hash"]) for remark in remarks[:_LONGEST_LIST]}
    if content := envelope.get("content"):
        named += {(Dimension.CONTENT, hashed) for hashed in islice(content.values(), _LONGEST_LIST)}
    own = [value for value in named if value[1] is not None and value[1] != ""]
    if not all(type(called) is str and len(called) <= LONGEST_VALUE for _, called in own):
        raise TypeError("not names as they are kept")
    return own


def values_of(envelope: Mapping[str, Any]) -> set[Value]:
    """Return the values of a decision's envelope."""
    found: set[Value] = set()
    for member, dimensions in _PLACES:
        members = envelope if member is None else envelope.get(member)
        if isinstance(members, dict):
            for dimension, name in dimensions:
                _put(found, dimension, members.get(name))
    resource = envelope.get("resource")
    if isinstance(resource, dict) and resource.get("type") == "model":
        _put(found, Dimension.MODEL, resource.get("id"))
    for listed, dimensions in _LISTS:
        for item in _listed(envelope.get(listed)):
            for dimension, name in dimensions:
                _put(found, dimension, item.get(name))
            policy, rule = text(item.get("policy")), text(item.get("rule"))
            if policy and rule:
                _put(found, Dimension.RULE, f"{policy}/{rule}")
    for hashed in islice(_members(envelope.get("content")).values(), _LONGEST_LIST):
        _put(found, Dimension.CONTENT, hashed)
    return found | _answering(envelope)


def _answering(envelope: Mapping[str, Any]) -> set[Value]:
    found: set[Value] = set()
    for engine in _listed(envelope.get("engines")):
        for answer in _listed(engine.get("answers")):
            if answer.get("outcome") != "not_applicable":
                _put(found, Dimension.POLICY, answer.get("policy"))
    return found


def _put(found: set[Value], dimension: Dimension, value: Any) -> None:
    name = called(value)
    if name:
        found.add((dimension, name))


def called(value: Any) -> str | None:
    """Return a value as filters have it, cut to what is told apart; empty or None where it is none."""
    name = value if type(value) is str else text(value)
    return name[:LONGEST_VALUE] if name else None


def request_id_of(envelope: Mapping[str, Any]) -> str | None:
    """Return the request that the record is of: a decision nobody numbered by request is one of its own."""
    return text(envelope.get("request_id")) or text(envelope.get("record_id"))


def latency_us_of(envelope: Mapping[str, Any], *, of: str = "total") -> int | None:
    taken = _members(envelope.get("latency_us")).get(of)
    return taken if type(taken) is int and taken >= 0 else None


def text(value: Any) -> str | None:
    """Return what a value is called in a filter; None where it is none."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if type(value) is int else None


def _members(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _NOTHING


def _listed(value: Any) -> Sequence[Mapping[str, Any]]:
    return [item for item in value[:_LONGEST_LIST] if isinstance(item, dict)] if isinstance(value, list) else ()
