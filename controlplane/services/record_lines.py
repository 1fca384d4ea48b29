# SPDX-License-Identifier: Apache-2.0
"""Read one line of an ingestion request into a record, or say why it can never become one.

Rules: the envelope must be canonical JSON of a schema we know, within its size, from the sender's own tenant, and
name its payload by the right digest. Members beyond those known are kept, since the bytes are stored as received.
The text of a line is never put into a message or a log.

Facts: reading a record strictly (no key twice, nothing that RFC 8785 would write otherwise) takes 60 µs with `json`
alone. Reading it with orjson and writing it again takes a tenth, and what comes out as it went in had no key twice;
floats are looked for. Whatever does not come out so is read again strictly, and that decides.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any, Final, NoReturn

import orjson

from controlplane.services.records import SOURCE_SCHEMA, EntryKind, QuarantinedLine, ReceivedRecord
from controlplane.services.times import parse_time
from policies.contracts.codec import canonical_bytes
from policies.contracts.decision import Verdict
from policies.contracts.record import MAX_ENVELOPE_BYTES, SCHEMA, RecordKind, RecordOutcome

_MAX_PAYLOAD_BYTES: Final = 1024 * 1024
# What is kept of a line that cannot be read: enough to find its sender's mistake.
_MAX_KEPT_BYTES: Final = 64 * 1024
_MAX_SEQ: Final = 2**53 - 1
_IDENTIFIER: Final = re.compile(r"[\x21-\x7e]{1,256}", re.ASCII)
_SPAN_HASH: Final = re.compile(r"(?:s1:[0-9a-f]{16})?", re.ASCII)
_KINDS: Final = frozenset(RecordKind)
_SOURCE_KINDS: Final = frozenset({EntryKind.START, EntryKind.HEARTBEAT, EntryKind.STOP, EntryKind.LOSS})
_SAID_BESIDE: Final = frozenset({"allow", "deny", "error"})
_OUTCOMES: Final = frozenset(RecordOutcome)
_VERDICTS: Final = frozenset(Verdict)


class UnreadableLine(Exception):
    """The line can never become a record. `reason` is a kebab-case code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_line(line: bytes, *, tenant: str, environments: Collection[str] | None = None) -> ReceivedRecord:
    """Return the record of `line`, which is of `tenant` and of one of `environments`, or any. Raises UnreadableLine."""
    parts = _line(line)
    match parts:
        case {"envelope": str() as envelope_text, "payload": str() as payload_text} if len(parts) == 2:  # noqa: PLR2004  # these and no more
            pass
        case _:
            raise UnreadableLine("line-not-a-record")
    try:
        envelope, payload = envelope_text.encode(), payload_text.encode()
    except UnicodeEncodeError as exc:
        raise UnreadableLine("line-not-unicode") from exc
    if len(envelope) > MAX_ENVELOPE_BYTES:
        raise UnreadableLine("envelope-too-large")
    if len(payload) > _MAX_PAYLOAD_BYTES:
        raise UnreadableLine("payload-too-large")
    read = _envelope(envelope)
    schema = read.get("schema")
    if not isinstance(schema, str) or schema not in _READERS:
        raise UnreadableLine("schema-unknown")
    if read.get("payload_digest") != (_digest(payload) if schema == SCHEMA or payload else None):
        raise UnreadableLine("payload-digest-differs")
    if read.get("tenant") != tenant:
        raise UnreadableLine("tenant-differs")
    if environments is not None and read.get("environment") not in environments:
        raise UnreadableLine("environment-differs")
    try:
        return _READERS[schema](read, tenant=tenant, envelope=envelope, payload=payload)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise UnreadableLine("envelope-invalid") from exc


def _digest(payload: bytes) -> str:
    return "sha256:" + hashlib.sha256(payload).hexdigest()


def put_aside(line: bytes, *, tenant: str, reason: str) -> QuarantinedLine:
    """Return the line as it is kept in quarantine."""
    return QuarantinedLine(
        tenant=tenant,
        reason=reason,
        digest=_digest(line),
        line=line[:_MAX_KEPT_BYTES],
    )


def _check_remarks(remarks: Any) -> None:
    """Raise unless a remark has a hash, if any, and a length of what it is about: nothing that could be the text."""
    for remark in remarks:
        if not _SPAN_HASH.fullmatch(remark["span_hash"]):
            raise ValueError("not the hash of a span")
        _number(remark["length"], least=0)


def _check_members(read: dict[str, Any]) -> None:
    """Raise unless what a decision is found by is what it must be."""
    resource, subject = read["resource"], read["subject"]
    if subject is not None:
        _check_name(subject["pseudonym"])
    if resource is not None and resource["type"] == "model":
        _check_model(resource["id"])
    if read["verdict"] is not None:
        _one_of(_VERDICTS, read["verdict"])
    if read["serial"] is not None:
        _number(read["serial"], least=0)
    _one_of(_OUTCOMES, read["outcome"])
    _check_name(read["revision"])
    for reason in read["reasons"]:
        _name(reason["code"])
        _check_name(reason["policy"])
    for engine in read["engines"]:
        for answer in engine["answers"]:
            if answer["outcome"] != "not_applicable":
                _check_name(answer["policy"])  # empty where the engine as a whole failed
    for finding in read["findings"]:
        _check_name(finding["policy"])


def _check_candidate(candidate: Any) -> None:
    """Raise unless it is what a candidate says: lists of decisions show it, and one bad one would spoil a page."""
    _number(candidate["serial"], least=0)
    _name(candidate["revision"])
    _one_of(_SAID_BESIDE, candidate["effect"])
    for code in candidate["reasons"]:
        _name(code)
    if not isinstance(candidate["differs"], bool):
        raise TypeError("not true or false")


def _record(read: dict[str, Any], *, tenant: str, envelope: bytes, payload: bytes) -> ReceivedRecord:
    source = read["source"]
    _check_members(read)
    if read.get("candidate") is not None:
        _check_candidate(read["candidate"])
    _check_remarks(read.get("remarks", ()))  # workers of before there were remarks send none
    return ReceivedRecord(
        tenant=tenant,
        environment=_name(read["environment"]),
        source_id=_name(source["id"]),
        boot_id=_name(source["boot_id"]),
        seq=_number(source["seq"], least=1),
        record_id=_text(read["record_id"]),
        request_id=_text(read["request_id"]),
        kind=_one_of(_KINDS, read["kind"]),
        time=parse_time(read["time"]),
        envelope=envelope,
        leaf_hash=hashlib.sha256(b"\0" + envelope).digest(),
        payload=payload,
        members=read,
    )


def _source_record(read: dict[str, Any], *, tenant: str, envelope: bytes, payload: bytes) -> ReceivedRecord:
    """Return what a source says of itself. Raises UnreadableLine, and what `_record` raises."""
    source, previous = read["source"], read.get("previous")
    if payload:
        raise UnreadableLine("payload-unexpected")
    if previous is not None:
        _text(previous["boot_id"])
        _number(previous["seq"], least=0)
    return ReceivedRecord(
        tenant=tenant,
        environment=_name(read["environment"]),
        source_id=_name(source["id"]),
        boot_id=_name(source["boot_id"]),
        seq=_number(source["seq"], least=1),
        record_id=_text(read["record_id"]),
        request_id=None,
        kind=_one_of(_SOURCE_KINDS, read["kind"]),
        time=parse_time(read["time"]),
        envelope=envelope,
        leaf_hash=hashlib.sha256(b"\0" + envelope).digest(),
        payload=None,
        members=read,
    )


_READERS: Final = {SCHEMA: _record, SOURCE_SCHEMA: _source_record}


def _line(line: bytes) -> Any:
    try:
        parts = orjson.loads(line)
        if orjson.dumps(parts) == line:
            return parts
    except orjson.JSONDecodeError:
        pass
    return _json(line, "line-not-json")


def _envelope(text: bytes) -> dict[str, Any]:
    try:
        read = orjson.loads(text)
        same = orjson.dumps(read, option=orjson.OPT_SORT_KEYS) == text
        if same and isinstance(read, dict) and not _has_float(read.values()):
            return read
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass
    value = _json(text, "envelope-not-json")
    if not isinstance(value, dict) or not _is_canonical(text, value):
        raise UnreadableLine("envelope-not-canonical")
    return value


def _json(text: bytes, reason: str) -> Any:
    try:
        return json.loads(text, parse_float=_refuse, parse_constant=_refuse, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as exc:
        raise UnreadableLine(reason) from exc


def _refuse(_literal: str) -> NoReturn:
    raise ValueError("not a number that a record may hold")


def _has_float(values: Iterable[Any]) -> bool:
    """Tell whether there is a float in `values` or below. They are no deeper than orjson writes."""
    for value in values:
        kind = value.__class__
        if kind is str or kind is int:  # most are
            continue
        if kind is float:
            return True
        if kind is dict:
            if _has_float(value.values()):
                return True
        elif kind is list and value and _has_float(value):
            return True
    return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _is_canonical(text: bytes, value: dict[str, Any]) -> bool:
    try:
        # json's own order is RFC 8785's wherever keys are of the basic plane, and ten times as fast.
        plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
        return text == plain or text == canonical_bytes(value)  # the second is computed only at need
    except ValueError:
        return False


def _text(value: Any) -> str:
    if isinstance(value, str) and _IDENTIFIER.fullmatch(value):
        return value
    raise ValueError("not an identifier")


# Names of which there are few: sources, environments, policies, subjects. A look at a small table beats the expression.
_name: Final = lru_cache(maxsize=4096)(_text)


def _check_name(value: Any) -> None:
    """Raise unless `value` is a name or stands for none."""
    if value is not None and value != "":
        _name(value)


def _check_model(value: Any) -> None:
    """Raise unless `value` is a text: a client may write anything, and the record of its refusal must not be lost."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("not a model's name")


def _number(value: Any, *, least: int) -> int:
    if type(value) is int and least <= value <= _MAX_SEQ:
        return value
    raise ValueError("not a number in range")


def _one_of(names: frozenset[str], value: Any) -> str:
    if isinstance(value, str) and value in names:
        return str(value)
    raise ValueError("not one of the known words")
