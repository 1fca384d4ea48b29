# SPDX-License-Identifier: Apache-2.0
"""The columns of the flat formats, CSV and Parquet: one table for both (`docs/reference/exports.md` shows it)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeAlias

from controlplane.exports.rows import ExportRow, model_of, policies_of, reason_codes, rules_of
from controlplane.services.times import parse_time

Value: TypeAlias = str | int | bool | datetime | list[str] | None


class ColumnType(StrEnum):
    TEXT = "text"
    INTEGER = "integer"
    FLAG = "boolean"
    TIME = "time"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: ColumnType
    meaning: str
    of: Callable[[ExportRow], Value]


class Content(StrEnum):
    """What of the erasable payload may be asked for beside the envelope."""

    SUBJECT = "subject"
    INPUT = "input"


def columns_of(include: Collection[Content]) -> tuple[Column, ...]:
    """Return the columns of an export, those of the payload only where they were asked for."""
    return (*COLUMNS, *(CONTENT_COLUMNS[content] for content in Content if content in include))


def _text(*path: str) -> Callable[[ExportRow], Value]:
    return lambda row: row.read.text(*path)


def _number(*path: str) -> Callable[[ExportRow], Value]:
    return lambda row: row.read.number(*path)


def _time(row: ExportRow) -> Value:
    text = row.read.text("time")
    try:
        return None if text is None else parse_time(text).astimezone(UTC)
    except ValueError:
        return None


def _findings(row: ExportRow) -> Value:
    return [f"{one.text('detector') or ''}:{one.number('count') or 0}" for one in row.read.each("findings")]


def _not_scanned(row: ExportRow) -> Value:
    each = row.read.each("coverage", "not_scanned")
    return [f"{one.text('path') or ''}:{one.text('reason') or ''}" for one in each]


_TEXT, _INTEGER, _TEXTS = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.TEXTS
COLUMNS: Final = (
    Column("log_index", _INTEGER, "index in the log of the record that the row is of", lambda row: row.log_index),
    Column("first_index", _INTEGER, "that of the request's first record: their order", lambda row: row.first_index),
    Column("received_at", ColumnType.TIME, "when the control plane stored the record", lambda row: row.received_at),
    Column("time", ColumnType.TIME, "when the proxy wrote the record", _time),
    Column("record_id", _TEXT, "the record", _text("record_id")),
    Column("request_id", _TEXT, "the request", _text("request_id")),
    Column("kind", _TEXT, "`terminal`; `admission` while the request had not ended", _text("kind")),
    Column("environment", _TEXT, "where it was decided", _text("environment")),
    Column("source", _TEXT, "which worker wrote the record", _text("source", "id")),
    Column("boot_id", _TEXT, "which process of that worker", _text("source", "boot_id")),
    Column("seq", _INTEGER, "the record's number within that process", _number("source", "seq")),
    Column("trace_id", _TEXT, "the trace of the request", _text("trace_id")),
    Column("pseudonym", _TEXT, "the subject's keyed pseudonym", _text("subject", "pseudonym")),
    Column("subject_type", _TEXT, "`user` or `service`", _text("subject", "type")),
    Column("credential", _TEXT, "what identified the subject", _text("subject", "credential")),
    Column("key_id", _TEXT, "which key, token or certificate it was", _text("subject", "key_id")),
    Column("action", _TEXT, "the operation asked for", _text("action")),
    Column("model", _TEXT, "the model asked for", model_of),
    Column("method", _TEXT, "the HTTP method", _text("http", "method")),
    Column("route", _TEXT, "the route of policy that matched", _text("http", "route")),
    Column("status", _INTEGER, "the HTTP status that the client got", _number("http", "status")),
    Column("bytes_in", _INTEGER, "bytes of the request's body", _number("http", "bytes_in")),
    Column("bytes_out", _INTEGER, "bytes of the answer's body", _number("http", "bytes_out")),
    Column("stream", ColumnType.FLAG, "whether the answer was streamed", lambda row: row.read.flag("http", "stream")),
    Column("outcome", _TEXT, "`allow`, `deny` or `error_deny`", _text("outcome")),
    Column("verdict", _TEXT, "`forwarded`, `redacted`, `blocked` or `cut`", _text("verdict")),
    Column("would_have", _TEXT, "the outcome had every policy been enforced, where it differs", _text("would_have")),
    Column("reasons", _TEXTS, "reason codes", reason_codes),
    Column("policies", _TEXTS, "policies that took part", policies_of),
    Column("rules", _TEXTS, "rules that gave a reason or a finding, `POLICY/RULE`", rules_of),
    Column("findings", _TEXTS, "what detectors found, `DETECTOR:COUNT`", _findings),
    Column("not_scanned", _TEXTS, "what no detector looked at, `PATH:REASON`", _not_scanned),
    Column("revision", _TEXT, "the snapshot that decided", _text("revision")),
    Column("serial", _INTEGER, "its serial in the environment", _number("serial")),
    Column("latency_total_us", _INTEGER, "microseconds from request to end of answer", _number("latency_us", "total")),
    Column("latency_decide_us", _INTEGER, "microseconds of deciding", _number("latency_us", "decide")),
    Column("latency_upstream_us", _INTEGER, "microseconds of the model server", _number("latency_us", "upstream")),
    Column("payload_digest", _TEXT, "digest of the erasable payload", _text("payload_digest")),
)  # fmt: skip
CONTENT_COLUMNS: Final = {
    Content.SUBJECT: Column("subject", _TEXT, "who it was; empty once erased", lambda row: row.subject),
    Content.INPUT: Column("input", _TEXT, "what the guards saw, as JSON; empty once erased", lambda row: row.input),
}
