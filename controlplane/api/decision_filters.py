# SPDX-License-Identifier: Apache-2.0
"""The filters of decisions as parameters of a query: one for each dimension, and times, latencies, ids and gaps."""

from collections.abc import Mapping
from typing import Any, Final

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.fields import MAX_INTEGER, Digits, Time, text
from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.dimensions import DECISION_KINDS, LONGEST_VALUE, Dimension
from policies.contracts.decision import Verdict
from policies.contracts.record import RecordOutcome

_MOST_ALTERNATIVES: Final = 100
_MOST_MS: Final = MAX_INTEGER // 1000
_WORDS: Final[Mapping[Dimension, list[str]]] = {
    Dimension.KIND: sorted(DECISION_KINDS),
    Dimension.OUTCOME: [outcome.value for outcome in RecordOutcome],
    Dimension.VERDICT: [verdict.value for verdict in Verdict],
    Dimension.STREAM: ["true", "false"],
    Dimension.CANDIDATE_EFFECT: ["allow", "deny", "error"],
    Dimension.DIFFERS: ["true", "false"],
}
_PATTERNS: Final[Mapping[Dimension, tuple[str, str]]] = {
    Dimension.STATUS: (r"[1-5][0-9]{2}\Z", "Not an HTTP status, such as 403."),
    Dimension.SERIAL: (r"(0|[1-9][0-9]{0,15})\Z", "Not a serial, such as 7."),
    Dimension.REVISION: (r"sha256:[0-9a-f]{64}\Z", "Not a revision: sha256: and 64 hexadecimal digits."),
    Dimension.SPAN: (r"s1:[0-9a-f]{16}\Z", "Not the hash of a span: s1: and 16 hexadecimal digits."),
    Dimension.RULE: (r"[^/]+/.+\Z", "Not POLICY/RULE."),
}


def _alternatives(value: fields.Field[Any]) -> fields.List[Any]:
    message = f"At most {_MOST_ALTERNATIVES} alternatives: ask again for the others."
    return fields.List(value, load_default=[], validate=validate.Length(max=_MOST_ALTERNATIVES, error=message))


def _field(dimension: Dimension) -> fields.List[Any]:
    if dimension in _WORDS:
        return _alternatives(fields.String(validate=validate.OneOf(_WORDS[dimension])))
    if dimension in _PATTERNS:
        pattern, message = _PATTERNS[dimension]
        return _alternatives(fields.String(validate=validate.Regexp(pattern, error=message)))
    return _alternatives(text(longest=LONGEST_VALUE))


def _ms(what: str) -> Digits:
    return Digits(
        load_default=None,
        validate=validate.Range(min=0, max=_MOST_MS),
        metadata={"description": f"{what}, in whole milliseconds."},
    )


class _OfItself(ma.Schema):
    request_id = _alternatives(text())
    record_id = _alternatives(text())
    since = Time(data_key="from", load_default=None)
    until = Time(data_key="to", load_default=None)
    min_latency_ms = _ms("It took at least so long in all")
    max_latency_ms = _ms("It took at most so long in all")
    has_gap = fields.String(load_default=None, validate=validate.OneOf(["true", "false"]))

    @ma.validates_schema
    def _check_ranges(self, query: dict[str, Any], **_: Any) -> None:
        for low, high, names in (("since", "until", ("from", "to")), ("min_latency_ms", "max_latency_ms", None)):
            first, last = query.get(low), query.get(high)
            if first is not None and last is not None and first > last:
                least, most = names or (low, high)
                raise ma.ValidationError(f"'{least}' lies behind '{most}': turn them round.", field_name=most)


FilterSchema = _OfItself.from_dict(
    {dimension.value: _field(dimension) for dimension in Dimension}, name="DecisionFilterSchema"
)
FilterSchema.__doc__ = "A repeated filter means either; different filters all hold."


def filter_of(query: Mapping[str, Any]) -> DecisionFilter:
    """Return the filter of a query that `FilterSchema` has read."""
    return DecisionFilter(
        values={dimension: tuple(given) for dimension in Dimension if (given := query[dimension.value])},
        request_ids=tuple(query["request_id"]),
        record_ids=tuple(query["record_id"]),
        since=query["since"],
        until=query["until"],
        min_latency_us=_us(query["min_latency_ms"]),
        max_latency_us=_us(query["max_latency_ms"]),
        has_gap=None if query["has_gap"] is None else query["has_gap"] == "true",
    )


def _us(ms: int | None) -> int | None:
    return None if ms is None else ms * 1000
